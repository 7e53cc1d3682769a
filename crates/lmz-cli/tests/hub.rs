//! Models of the hub, got from a hub on loopback by the command as a user runs it.
#![cfg(all(feature = "hub", feature = "base", feature = "nano"))]

use std::fs;

#[path = "common/hub_server.rs"]
#[allow(dead_code)] // the tests of hostile servers need the rest
mod hub_server;
#[path = "common/hub_user.rs"]
mod hub_user;

use hub_server::{Access, Faults, Repository, Server, TOKEN};
use hub_user::{User, fails, golden, identity, out, said};

const TEXT: &[u8] = include_bytes!("../../../testdata/technical.md");

#[test]
fn pulled_and_used_without_the_network() {
    let server = Server::start();
    let repository = Repository::of(&golden("transformers"), 'a');
    let commit = repository.commit.clone();
    server.add("rwkv/tiny", repository);
    let user = User::new(&server);
    let name = format!("hf:rwkv/tiny@{commit}");
    assert_eq!(out(user.lmz(&["model", "pull", "hf:rwkv/tiny"])), format!("{name}\n"));
    // What is needed and nothing else, in the hub's layout.
    let log = server.log();
    for file in ["README.md", "generation_config.json", "pytorch_model.bin", "onnx"] {
        assert!(!log.iter().any(|request| request.contains(file)), "{log:?}");
    }
    let folder = user.folder("rwkv/tiny");
    assert_eq!(fs::read_to_string(folder.join("refs/main")).unwrap(), commit);
    let part = folder.join("snapshots").join(&commit).join("model-00001-of-00002.safetensors");
    assert_eq!(
        fs::read(&part).unwrap(),
        fs::read(golden("transformers/model-00001-of-00002.safetensors")).unwrap()
    );
    #[cfg(unix)]
    assert!(fs::read_link(&part).unwrap().starts_with("../../blobs"));
    assert_eq!(fs::read_dir(folder.join("blobs")).unwrap().count(), 5);
    // A second time there is nothing to get but the answer that there is nothing new.
    out(user.lmz(&["model", "pull", "-q", "hf:rwkv/tiny"]));
    assert_eq!(server.log(), ["GET /api/models/rwkv/tiny/revision/main"]);

    // From here on nobody is asked.
    user.write("a", said());
    let compress = ["--block", "1000", "--mix", "off", "--model", "hf:rwkv/tiny", "a"];
    out(user.lmz(&[&compress[..], &["--offline"]].concat()));
    let list = out(user.lmz(&["-lv", "a.lmz"]));
    assert!(
        list.contains(", 3 coded, model") && list.contains(&format!("lmz model pull {name}\n")),
        "{list}"
    );
    for args in
        [&["-d", "-o", "b", "a.lmz"][..], &["-d", "--range", "0..", "-o", "b", "-f", "a.lmz"]]
    {
        out(user.lmz(args));
        assert_eq!(user.read("b"), said());
    }
    out(user.lmz(&["recover", "-f", "-o", "b", "a.lmz"]));
    assert_eq!(user.read("b"), said());
    out(user.command(&["-t", "a.lmz"]).env("HF_HUB_OFFLINE", "1").output().unwrap());
    assert!(server.log().is_empty());

    // Someone who has the archive and not the model.
    let other = User::new(&server);
    other.write("a.lmz", &user.read("a.lmz"));
    fails(
        &other.lmz(&["-d", "a.lmz"]),
        1,
        &[&identity("reference"), &format!("get it: lmz model pull {name},")],
    );
    assert!(server.log().is_empty(), "decoding asks nobody");
    out(other.lmz(&["model", "pull", &name]));
    out(other.lmz(&["-d", "a.lmz"]));
    assert_eq!(other.read("a"), said());
    assert!(!other.folder("rwkv/tiny").join("refs").exists(), "a commit is no branch");
}

#[test]
fn compressing_gets_what_is_missing() {
    let server = Server::start();
    server.add("rwkv/tiny", Repository::of(&golden("reference"), 'b'));
    let user = User::new(&server);
    user.write("a", &TEXT[..500]);
    let offline = ["--offline", "--model", "hf:rwkv/tiny", "a"];
    fails(
        &user.lmz(&offline),
        1,
        &["hf:rwkv/tiny is not in the cache", "nothing is downloaded offline"],
    );
    let stated = user.command(&offline[1..]).env("HF_HUB_OFFLINE", "1").output().unwrap();
    fails(&stated, 1, &["nothing is downloaded offline", "lmz model pull hf:rwkv/tiny"]);
    fails(
        &user.lmz(&["model", "pull", "--offline", "hf:rwkv/tiny"]),
        1,
        &["nothing is downloaded offline"],
    );
    assert!(server.log().is_empty());
    out(user.lmz(&offline[1..]));
    assert!(!server.log().is_empty());
    out(user.lmz(&["-d", "--model", "hf:rwkv/tiny", "-o", "b", "a.lmz"]));
    assert_eq!(user.read("b"), &TEXT[..500]);
    assert!(server.log().is_empty(), "what is in the cache is used");
}

/// A transformer goes the same way, by the exact engine and by candle: its archive names the commit,
/// and is decoded with what is in the cache.
#[test]
fn a_transformer_is_pulled_and_found_again() {
    transformer(&[]);
    transformer(&["--dtype", "f32"]);
}

fn transformer(how: &[&str]) {
    let server = Server::start();
    server.add("small/llama", Repository::of(&golden("../hub/llama"), 'b'));
    let name = format!("hf:small/llama@{}", "b".repeat(40));
    let user = User::new(&server);
    // What the model knows by heart (scripts/hub/golden.py).
    let text = "The quick brown fox jumps over the lazy dog. It was the best of times, it was the \
        worst of times, it was the age\n";
    user.write("a", text.as_bytes());
    out(user.lmz(&[how, &["--mix", "off", "--model", "hf:small/llama", "-k", "a"]].concat()));
    let log = server.log();
    assert!(log.iter().any(|request| request.contains("tokenizer.json")), "{log:?}");
    assert!(out(user.lmz(&["model", "list"])).contains(&format!("  {name} (main)")));
    assert!(out(user.lmz(&["model", "info", "hf:small/llama"])).contains("LlamaForCausalLM"));
    assert!(out(user.lmz(&["-lv", "a.lmz"])).contains(&format!("lmz model pull {name}")));
    assert_eq!(out(user.lmz(&["-dc", "a.lmz"])), text);
    assert!(server.log().is_empty(), "nobody was asked");
    out(user.lmz(&["model", "rm", "hf:small/llama"]));
    fails(&user.lmz(&["-dc", "a.lmz"]), 1, &[&format!("get it: lmz model pull {name}")]);
}

#[test]
fn listed_described_and_removed() {
    let server = Server::start();
    server.add("rwkv/tiny", Repository::of(&golden("reference"), 'c'));
    let mut other = Repository::of(&golden("reference"), 'd');
    let config = br#"{"architectures": ["BertForMaskedLM"], "model_type": "bert"}"#;
    other.files.insert("config.json".into(), config.to_vec());
    server.add("some/bert", other);
    let user = User::new(&server);
    out(user.lmz(&["model", "pull", "hf:rwkv/tiny"]));
    let commit = "c".repeat(40);
    let list = out(user.lmz(&["model", "list"]));
    let line = list
        .lines()
        .find(|line| line.ends_with(&format!("  hf:rwkv/tiny@{commit} (main)")))
        .expect(&list);
    // Models of the cache come first, well-known ones behind an empty line.
    let (cached, known) = list.split_once("\n\n").expect(&list);
    assert!(cached.contains("hf:rwkv/tiny") && !cached.contains("SmolLM2"), "{list}");
    assert!(known.contains("Apache-2.0  hf:HuggingFaceTB/SmolLM2-135M"), "{list}");
    let parameters: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    assert!((110_000..120_000).contains(&parameters), "{line}");
    let info = out(user.lmz(&["model", "info", "hf:rwkv/tiny"]));
    assert!(
        info.contains(&identity("reference")) && info.contains(&format!("hf:rwkv/tiny@{commit}")),
        "{info}"
    );
    fails(
        &user.lmz(&["model", "info", "hf:rwkv/other"]),
        1,
        &["hf:rwkv/other is not in the cache"],
    );

    // What cannot be run is refused before its weights are downloaded, and not listed.
    server.log();
    let words = ["BertForMaskedLM (model_type bert)", "computes RWKV-7", "Qwen3ForCausalLM"];
    fails(&user.lmz(&["model", "pull", "hf:some/bert"]), 1, &words);
    assert!(!server.log().iter().any(|request| request.contains("safetensors")));
    assert!(!out(user.lmz(&["model", "list"])).contains("bert"));

    // A second revision shares the weights; removing the first leaves them.
    let mut second = Repository::of(&golden("reference"), 'e');
    second.files.insert("config.json".into(), [&second.files["config.json"][..], b"\n"].concat());
    server.add("rwkv/tiny", second);
    out(user.lmz(&["model", "pull", "hf:rwkv/tiny"]));
    assert!(
        !server.log().iter().any(|request| request.starts_with("GET /cdn")),
        "the weights are there"
    );
    let removed = out(user.lmz(&["model", "rm", &format!("hf:rwkv/tiny@{commit}")]));
    assert!(
        removed.contains(": 232 bytes removed") || removed.contains(" bytes removed"),
        "{removed}"
    );
    let list = out(user.lmz(&["model", "list"]));
    assert!(!list.contains(&commit) && list.contains(&"e".repeat(40)), "{list}");
    out(user.lmz(&["model", "info", "hf:rwkv/tiny"]));
    out(user.lmz(&["model", "rm", "hf:rwkv/tiny"]));
    assert!(!user.folder("rwkv/tiny").exists());
    fails(&user.lmz(&["model", "rm", "hf:rwkv/tiny"]), 1, &["not in the cache"]);
}

#[test]
fn what_the_hub_refuses() {
    let server = Server::start();
    let open = Repository::of(&golden("reference"), 'a');
    server.add("open/model", open.clone());
    server.add("a/private", Repository { access: Access::Private, ..open.clone() });
    server.add("a/gated", Repository { access: Access::Gated, ..open.clone() });
    let mut nothing = open.clone();
    nothing.files.retain(|name, _| !name.ends_with(".safetensors"));
    server.add("a/nothing", nothing);
    let user = User::new(&server);
    let pull = |name: &str| user.lmz(&["model", "pull", name]);
    fails(&pull("hf:a/private"), 1, &["hf:a/private", "401", "HF_TOKEN"]);
    fails(&pull("hf:a/gated"), 1, &["hf:a/gated", "401", "HF_TOKEN"]);
    fails(&pull("hf:no/such"), 1, &["hf:no/such", "no repository no/such", "404"]);
    fails(&pull("hf:open/model@v9"), 1, &["no revision v9", "404", "leave out @v9"]);
    fails(
        &pull("hf:a/nothing"),
        1,
        &["no file model.safetensors", "config.json with model.safetensors or its index"],
    );
    fails(&pull("hf:open/model/x.pth"), 1, &["no file x.pth", "what is there: hf:open/model"]);
    fails(&pull("hf:open/../model"), 2, &["expected hf:OWNER/NAME", "open/../model"]);
    fails(&user.lmz(&["--model", "hf:a b", "x"]), 2, &["expected hf:OWNER/NAME"]);

    let mut with = user.command(&["model", "pull", "hf:a/gated"]);
    fails(&with.env("HF_TOKEN", TOKEN).output().unwrap(), 1, &["403", "ask for it at", "/a/gated"]);
    // The token's file counts as the variable does.
    fs::create_dir_all(user.home.path().join("hf")).unwrap();
    fs::write(user.home.path().join("hf/token"), format!("{TOKEN}\n")).unwrap();
    out(pull("hf:a/private"));

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut with = user.command(&["model", "pull", "hf:open/model"]);
    let output = with.env("HF_ENDPOINT", format!("http://{closed}")).output().unwrap();
    fails(&output, 1, &["no answer from http://127.0.0.1", "refused", "check the network"]);
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let server = Server::start();
    server.add("rwkv/tiny", Repository::of(&golden("reference"), 'a'));
    let user = User::new(&server);
    let snapshot = user.folder("rwkv/tiny").join("snapshots").join("a".repeat(40));
    // Cut once after 100,000 bytes, then at once each time.
    server.fail(Faults { cuts: vec![100_000, 0], ..Faults::default() });
    let words =
        ["model.safetensors broke off after 100000 of 242392 bytes", "the same command goes on"];
    fails(&user.lmz(&["model", "pull", "hf:rwkv/tiny"]), 1, &words);
    assert!(
        snapshot.join("config.json").exists()
            && fs::symlink_metadata(snapshot.join("model.safetensors")).is_err()
    );
    assert!(!out(user.lmz(&["model", "list"])).contains("rwkv/tiny"), "a part is no model");
    fails(&user.lmz(&["--offline", "--model", "hf:rwkv/tiny", "a"]), 1, &["not in the cache"]);
    // The next command goes on, and bears another cut.
    server.log();
    server.fail(Faults { cuts: vec![50_000, usize::MAX], ..Faults::default() });
    out(user.lmz(&["model", "pull", "hf:rwkv/tiny"]));
    let log = server.log();
    let ranges: Vec<&str> = log
        .iter()
        .filter_map(|r| r.strip_prefix("GET /cdn/")?.split_once(' '))
        .map(|r| r.1)
        .collect();
    assert_eq!(ranges, ["bytes=100000-", "bytes=150000-"]);
    let file = fs::read(snapshot.join("model.safetensors")).unwrap();
    assert!(file == fs::read(golden("reference/model.safetensors")).unwrap());
    assert_eq!(
        fs::read_dir(user.folder("rwkv/tiny").join("blobs")).unwrap().count(),
        3,
        "nothing is left over"
    );
}

#[test]
fn a_hub_that_does_not_do_what_it_should() {
    let server = Server::start();
    server.add("rwkv/tiny", Repository::of(&golden("reference"), 'a'));
    let user = User::new(&server);
    let pull = || user.lmz(&["model", "pull", "hf:rwkv/tiny"]);
    server.fail(Faults { damage: true, ..Faults::default() });
    fails(&pull(), 1, &["model.safetensors is not what the hub says", "thrown away"]);
    server.fail(Faults { cuts: vec![100_000, 0], ..Faults::default() });
    fails(&pull(), 1, &["broke off after 100000"]);
    // It sends the whole file where the rest was asked for.
    server.fail(Faults { no_ranges: true, ..Faults::default() });
    out(pull());
    let info = out(user.lmz(&["model", "info", "hf:rwkv/tiny"]));
    assert!(info.contains(&identity("reference")), "{info}");
}

#[test]
fn what_pytorch_wrote() {
    let server = Server::start();
    let mut several = Repository::of(&golden("pth"), 'b');
    let pth = several.files["rwkv7-tiny.pth"].clone();
    server.add("rwkv/one", Repository::of(&golden("pth"), 'a'));
    several.files.insert("rwkv7-other.pth".into(), b"no zip archive".to_vec());
    several.files.remove("rwkv_vocab_v20230424.txt");
    server.add("rwkv/several", several);
    let user = User::new(&server);
    let several = [
        "hf:rwkv/several@",
        "several checkpoints",
        &format!("hf:rwkv/several/rwkv7-tiny.pth@{}", "b".repeat(40)),
    ];
    fails(&user.lmz(&["model", "pull", "hf:rwkv/several"]), 1, &several);
    let one = ["model", "pull", "hf:rwkv/several/rwkv7-tiny.pth"];
    fails(&user.lmz(&one), 1, &["no vocabulary", "rwkv_vocab_v20230424.txt"]);
    assert_eq!(
        out(user.lmz(&["model", "pull", "hf:rwkv/one"])),
        format!("hf:rwkv/one@{}\n", "a".repeat(40))
    );
    // That of another repository will do.
    assert_eq!(out(user.lmz(&one)), format!("hf:rwkv/several/rwkv7-tiny.pth@{}\n", "b".repeat(40)));
    for name in ["hf:rwkv/one", "hf:rwkv/several/rwkv7-tiny.pth"] {
        let info = out(user.lmz(&["model", "info", name]));
        assert!(info.contains(&identity("transformers")), "{info}");
    }
    out(user.lmz(&["model", "pull", "hf:rwkv/several/rwkv7-other.pth"]));
    fails(
        &user.lmz(&["model", "info", "hf:rwkv/several/rwkv7-other.pth"]),
        1,
        &["rwkv7-other.pth"],
    );
    let list = out(user.lmz(&["model", "list"]));
    assert!(
        list.contains("hf:rwkv/several/rwkv7-tiny.pth@") && !list.contains("rwkv7-other"),
        "{list}"
    );
    // The archive says which of them it was.
    user.write("a", said());
    out(user.lmz(&[
        "--block",
        "1000",
        "--mix",
        "off",
        "--model",
        "hf:rwkv/several/rwkv7-tiny.pth",
        "a",
    ]));
    out(user.lmz(&["model", "rm", "hf:rwkv/several/rwkv7-other.pth"]));
    out(user.lmz(&["-d", "-o", "b", "a.lmz"]));
    assert_eq!(user.read("b"), said());
    out(user.lmz(&["model", "rm", "hf:rwkv/several/rwkv7-tiny.pth"]));
    let words = [format!("lmz model pull hf:rwkv/several/rwkv7-tiny.pth@{}", "b".repeat(40))];
    fails(&user.lmz(&["-d", "-f", "-o", "b", "a.lmz"]), 1, &[&words[0]]);
    assert!(pth.len() > 200_000);
}

#[test]
fn a_cache_that_is_not_what_it_was() {
    let server = Server::start();
    server.add("rwkv/tiny", Repository::of(&golden("reference"), 'a'));
    let user = User::new(&server);
    user.write("a", said());
    out(user.lmz(&["--block", "1000", "--mix", "off", "--model", "hf:rwkv/tiny", "a"]));
    let snapshot = user.folder("rwkv/tiny").join("snapshots").join("a".repeat(40));
    let words = snapshot.join("rwkv_vocab_v20230424.txt");
    let text = fs::read_to_string(&words).unwrap();
    fs::remove_file(&words).unwrap();
    fs::write(&words, text.replace("' the'", "' not'")).unwrap();
    let remove = format!("lmz model rm hf:rwkv/tiny@{}", "a".repeat(40));
    fails(&user.lmz(&["-d", "-o", "b", "a.lmz"]), 1, &["is another", &remove]);
    fs::write(&words, "nothing").unwrap();
    fails(&user.lmz(&["-d", "-o", "b", "a.lmz"]), 1, &["which is in the cache", "line 1"]);
    // A path is what it says, whatever the archive says.
    out(user.lmz(&["-d", "--model", golden("transformers").to_str().unwrap(), "-o", "b", "a.lmz"]));
    assert_eq!(user.read("b"), said());
}

#[test]
fn too_large_for_the_memory() {
    let server = Server::start();
    server.add("rwkv/tiny", Repository::of(&golden("reference"), 'a'));
    let user = User::new(&server);
    user.write("a", &TEXT[..500]);
    let small = ["--memory", "100KB", "--model", "hf:rwkv/tiny", "a"];
    fails(&user.lmz(&small), 1, &["needs about 0.5 MB", "0.1 MB is allowed", "--memory SIZE"]);
    out(user.lmz(&["--memory", "64MiB", "--model", "hf:rwkv/tiny", "a"]));
}
