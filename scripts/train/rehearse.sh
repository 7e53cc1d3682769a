#!/usr/bin/env bash
# The whole chain on 2 MB of the corpus, in a few minutes: vocabulary, training with a stop and a
# resume, export, evaluation, golden vectors. Fails if any link does.
#
#     scripts/train/rehearse.sh [CORPUS]
set -euo pipefail
cd "$(dirname "$0")"
corpus=${1:-../../../shared/corpus}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== sample"
$python corpus.py "$corpus" "$work/corpus" 2
echo "== vocabulary"
$python vocab.py learn --size 512 --corpus "$work/corpus" --out "$work/512.txt"
echo "== training, stopped early"
run=(--size tiny --corpus "$work/corpus" --vocab "$work/512.txt" --out "$work/run"
     --valid-bytes 256 --log-every 20 --valid-every 1000000)
$python train.py "${run[@]}" --tokens 5e5 --warmup 30 --minutes 0.4
echo "== training, resumed"
$python train.py "${run[@]}" --resume
echo "== export"
$python export.py "$work/run/last.pt" "$work/model" --corpus "$work/corpus" --head-bytes 256
echo "== golden vectors"
$python ../decoder/golden.py model "$work/model" "$work/golden/model"
$python - "$work" <<'CHECK'
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
records = [json.loads(line) for line in open(work / "run" / "log.jsonl")]
steps = [r["step"] for r in records if "bpb" in r]
costs = [r["bpb"] for r in records if "bpb" in r]
first, last = costs[0], costs[-1]
assert last < first - 0.5, f"training did not learn: {first} to {last} bpb"
assert steps == sorted(set(steps)), f"the run was not resumed where it had stopped: {steps}"
for name in ("config.json", "vocab.txt", "model.safetensors", "README.md"):
    assert (work / "model" / name).stat().st_size > 0, name
print(f"rehearsal passed: {first} to {last} bpb in {steps[-1]} steps, model folder complete")
CHECK
