//! Names of models on the Hugging Face hub, as command lines and archives have them:
//! `hf:OWNER/NAME`, with a file where a repository holds several models, and a revision.

use std::fmt;

/// `hf:[OWNER/]NAME[/FILE][@REVISION]`, of files that hold a whole model (`.pth`, `.gguf`). Made of harmless characters only, whoever wrote it: it
/// can be printed, and be part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HubName {
    /// `OWNER/NAME`, or `NAME` of one of the hub's oldest.
    repository: Box<str>,
    /// One checkpoint of a repository that holds several.
    file: Option<Box<str>>,
    /// A branch, a tag or a commit; none stands for `main`.
    revision: Option<Box<str>>,
}

impl HubName {
    /// How such names begin.
    pub const PREFIX: &str = "hf:";
    /// The longest that is read, in bytes.
    pub const LONGEST: usize = 384;

    /// A name, or nothing if it is none that the hub could have given.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(Self::PREFIX).filter(|_| text.len() <= Self::LONGEST)?;
        let (path, revision) = match rest.split_once('@') {
            Some((path, revision)) => (path, Some(revision)),
            None => (rest, None),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (repository, file) = match parts[..] {
            [_] | [_, _] => (&parts[..], None),
            [_, _, file] => (&parts[..2], Some(file)),
            _ => return None,
        };
        let fits = repository.iter().all(|part| is_part(part))
            && file.is_none_or(is_file)
            && revision.is_none_or(|revision| revision.split('/').all(is_part));
        let out = Self {
            repository: repository.join("/").into(),
            file: file.map(Into::into),
            revision: revision.map(Into::into),
        };
        fits.then_some(out)
    }

    /// `OWNER/NAME`
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The checkpoint that it names of several.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// A branch, a tag or a commit.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// Whether the name says which revision.
    pub fn has_revision(&self) -> bool {
        self.revision.is_some()
    }

    /// The commit's hash, if that is the revision: then the name stands for the same files for
    /// ever.
    pub fn commit(&self) -> Option<&str> {
        self.revision.as_deref().filter(|revision| is_commit(revision))
    }

    /// The name of the repository at another revision.
    pub fn at(&self, revision: &str) -> Option<Self> {
        let fits = revision.split('/').all(is_part);
        fits.then(|| Self { revision: Some(revision.into()), ..self.clone() })
    }

    /// The name of one checkpoint of the repository.
    pub fn with_file(&self, file: &str) -> Option<Self> {
        is_file(file).then(|| Self { file: Some(file.into()), ..self.clone() })
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.repository)?;
        self.file.iter().try_for_each(|file| write!(f, "/{file}"))?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
    }
}

/// A file that can hold a whole model.
fn is_file(name: &str) -> bool {
    is_part(name) && (name.ends_with(".pth") || name.ends_with(".gguf"))
}

/// The full hash of a commit.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A part of a path that means nothing but itself, by the hub's own rules: no `..`, and no `--`,
/// which stands for the slash in the names of the cache's folders.
pub fn is_part(text: &str) -> bool {
    let edge = |c: Option<char>| matches!(c, Some('-' | '.'));
    !text.is_empty()
        && text.len() <= 96
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !text.contains("..")
        && !text.contains("--")
        && !edge(text.chars().next())
        && !edge(text.chars().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let whole = format!("hf:o/n.1/x-1_2.pth@{commit}");
        for (text, repository, file, revision) in [
            ("hf:gpt2", "gpt2", None, "main"),
            ("hf:RWKV/RWKV7-Goose", "RWKV/RWKV7-Goose", None, "main"),
            ("hf:o/n@v1.0", "o/n", None, "v1.0"),
            ("hf:o/n@refs/pr/1", "o/n", None, "refs/pr/1"),
            (&whole, "o/n.1", Some("x-1_2.pth"), commit),
        ] {
            let name = HubName::parse(text).expect(text);
            assert_eq!(
                (name.repository(), name.file(), name.revision()),
                (repository, file, revision)
            );
            assert_eq!(name.to_string(), text);
            assert_eq!(name.commit().is_some(), revision == commit);
        }
    }

    /// What could leave the cache's folder, or do something to a terminal, is no name.
    #[test]
    fn what_is_no_name() {
        let long = format!("hf:o/{}", "n".repeat(97));
        for text in [
            "o/n",
            "hf:",
            "hf:/n",
            "hf:o/",
            "hf:o/../n",
            "hf:../n",
            "hf:o/.n",
            "hf:o/n.",
            "hf:o--p/n",
            "hf:o/n@",
            "hf:o/n@a/../b",
            "hf:o/n@/a",
            "hf:o/n@a@b",
            "hf:o/n/x",
            "hf:o/n/../x.pth",
            "hf:o/n/.pth",
            "hf:a/b/c/d.pth",
            "hf:o/n\u{1b}[2J",
            "hf:o/n o",
            "hf:o/ñ",
            "hf:o\\n",
            "hf:C:/n",
            &long,
        ] {
            assert_eq!(HubName::parse(text), None, "{text}");
        }
    }
}
