// Runs the golden archives and vectors in WebAssembly: node golden.mjs MODULE
import { readFile } from "node:fs/promises";

const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]));
const { count, check, check_generated, check_vectors } = instance.exports;
let failed = 0;
for (let i = 0; i < count(); i++) {
  const found = check(i);
  if (found !== 3) {
    failed++;
    const what = found & 1 ? "is compressed to something else" : "decodes to something else";
    console.error(`golden archive ${i} of tests/common/archives.rs ${what}`);
  }
}
if (check_generated() !== 1) {
  failed++;
  console.error("a golden text of tests/common/generated.rs is generated otherwise");
}
if (check_vectors() !== 1) {
  failed++;
  console.error("a golden vector of tests/common/vectors.rs differs");
}
if (count() === 0 || failed) process.exit(1);
console.log(`WebAssembly: all ${count()} golden archives, texts and vectors agree`);
