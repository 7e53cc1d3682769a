//! Requests to the hub, and to the places where it sends.
//!
//! Redirections are followed here and not by the HTTP client, which would take the token along: it
//! goes to the endpoint alone, that is to its scheme, host and port, whatever comes before or
//! behind in a chain. Everything that comes back is bounded, in bytes and in time.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};

use super::HubError;
use lmz::format::printable;
use lmz::lm::file;

/// Where the hub is unless `HF_ENDPOINT` says otherwise.
const ENDPOINT: &str = "https://huggingface.co";
/// Redirections that are followed for one request.
const REDIRECTIONS: usize = 8;
/// Unless `HF_HUB_DOWNLOAD_TIMEOUT` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes that have to come within a timeout: fewer count as none.
const PACE: u64 = 1024;
/// Timeouts that an answer may take which has to fit into memory.
const PATIENCE: u32 = 4;
/// The longest token that is read from a file, in bytes.
const TOKEN: u64 = 4096;

/// A hub, and who asks.
pub(super) struct Http {
    client: Client,
    endpoint: Url,
    token: Option<HeaderValue>,
    timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Asking again may help.
    Passing(String),
    /// Nothing came for as long as is waited.
    Silent(String),
    /// A redirection that is not followed.
    Redirection(String),
}

impl Failure {
    pub fn what(self) -> String {
        let (Self::Passing(what) | Self::Silent(what) | Self::Redirection(what)) = self;
        what
    }
}

impl Http {
    /// As the environment says.
    pub fn new() -> Result<Self, HubError> {
        let stated = set("HF_ENDPOINT");
        let endpoint = endpoint(stated.as_deref().unwrap_or(ENDPOINT))?;
        let timeout = match set("HF_HUB_DOWNLOAD_TIMEOUT") {
            None => TIMEOUT,
            Some(stated) => seconds(&stated).ok_or_else(|| {
                let what =
                    format!("expected HF_HUB_DOWNLOAD_TIMEOUT to be seconds, found {stated}");
                HubError::Settings(what)
            })?,
        };
        let token = token().map(|token| -> Result<HeaderValue, HubError> {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let what =
                "expected a token of letters, digits and underscores, found other characters";
            let mut value = value.map_err(|_| HubError::Settings(what.into()))?;
            value.set_sensitive(true);
            Ok(value)
        });
        Self::with(endpoint, token.transpose()?, timeout)
    }

    fn with(
        endpoint: Url,
        token: Option<HeaderValue>,
        timeout: Duration,
    ) -> Result<Self, HubError> {
        let client = Client::builder()
            .user_agent(concat!("lmz/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(timeout)
            .timeout(timeout);
        let client = client.build().map_err(|e| HubError::Settings(innermost(&e)))?;
        Ok(Self { client, endpoint, token, timeout })
    }

    /// The endpoint as messages name it, without a slash at its end.
    pub fn endpoint(&self) -> String {
        let mut shown = self.endpoint.clone();
        // Whoever put a password there does not want it in a message.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        shown.as_str().trim_end_matches('/').to_owned()
    }

    /// An address below the endpoint; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint.as_str().trim_end_matches('/'))
    }

    /// Asks from byte `from` on and follows redirections, unless one has what is `wanted` in its
    /// own headers.
    pub fn ask(
        &self,
        method: &Method,
        url: &str,
        from: u64,
        wanted: impl Fn(&HeaderMap) -> bool,
    ) -> Result<Response, Failure> {
        let mut url = Url::parse(url).map_err(|e| Failure::Redirection(e.to_string()))?;
        for _ in 0..=REDIRECTIONS {
            let mut request = self.client.request(method.clone(), url.clone());
            request = request.header(ACCEPT_ENCODING, "identity");
            if let Some(token) = self.token.as_ref().filter(|_| self.is_endpoint(&url)) {
                request = request.header(AUTHORIZATION, token);
            }
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let response = request.send().map_err(|e| self.failure(&e))?;
            let location = response.headers().get(LOCATION);
            match location.filter(|_| response.status().is_redirection()) {
                Some(to) if !wanted(response.headers()) => url = self.next(&url, to)?,
                _ => return Ok(response),
            }
        }
        Err(Failure::Redirection(format!("a chain of more than {REDIRECTIONS} redirections")))
    }

    /// Whether an address is the endpoint's: by scheme, host and port.
    fn is_endpoint(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// Where a redirection leads, if it may be followed.
    fn next(&self, from: &Url, to: &HeaderValue) -> Result<Url, Failure> {
        let refused = |what: String| Err(Failure::Redirection(what));
        let Some(next) = to.to_str().ok().and_then(|to| from.join(to).ok()) else {
            return refused("a redirection to no address".into());
        };
        match next.scheme() {
            "https" => {}
            "http" if self.endpoint.scheme() == "http" => {}
            scheme => return refused(format!("a redirection to {scheme}")),
        }
        let names_someone = !next.username().is_empty() || next.password().is_some();
        if names_someone && !self.is_endpoint(&next) {
            return refused("a redirection with a user's name in it".into());
        }
        Ok(next)
    }

    /// The whole of an answer, which may have so many bytes.
    pub fn read(&self, response: Response, most: u64) -> Result<Vec<u8>, Failure> {
        let until = Instant::now().checked_add(self.timeout.saturating_mul(PATIENCE));
        let mut body = self.body(response, until).take(most.saturating_add(1));
        let mut out = Vec::new();
        body.read_to_end(&mut out).map_err(|e| self.broken(&e))?;
        if out.len() as u64 > most {
            return Err(Failure::Passing(format!("an answer of more than {most} bytes")));
        }
        Ok(out)
    }

    /// The bytes of an answer as they come, with an error when they come too slowly.
    pub fn body(&self, response: Response, until: Option<Instant>) -> impl Read + use<> {
        let (timeout, since) = (self.timeout, Instant::now());
        Paced { response, timeout, until, since, bytes: 0 }
    }

    /// What an error while reading means.
    pub fn broken(&self, error: &io::Error) -> Failure {
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<reqwest::Error>());
        match inner {
            Some(inner) => self.failure(inner),
            None if error.kind() == io::ErrorKind::TimedOut => Failure::Silent(error.to_string()),
            None => Failure::Passing(innermost(error)),
        }
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        match error.is_timeout() {
            true => Failure::Silent(format!("nothing came for {} s", self.timeout.as_secs_f32())),
            false => Failure::Passing(innermost(error)),
        }
    }
}

/// An answer that has to go on coming.
struct Paced {
    response: Response,
    timeout: Duration,
    /// When it has to be over.
    until: Option<Instant>,
    /// What came in the time that runs.
    since: Instant,
    bytes: u64,
}

impl Read for Paced {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.response.read(to)?;
        self.bytes += n as u64;
        let late = |what: String| Err(io::Error::new(io::ErrorKind::TimedOut, what));
        if self.until.is_some_and(|until| Instant::now() > until) {
            return late("the answer does not end".into());
        }
        if self.since.elapsed() >= self.timeout {
            if n > 0 && self.bytes < PACE {
                return late(format!(
                    "{} bytes came in {} s",
                    self.bytes,
                    self.timeout.as_secs_f32()
                ));
            }
            (self.since, self.bytes) = (Instant::now(), 0);
        }
        Ok(n)
    }
}

/// A variable of the environment, if there is something in it.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn endpoint(stated: &str) -> Result<Url, HubError> {
    let url = Url::parse(stated).ok().filter(|url| {
        let plain = url.query().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "https" | "http") && url.has_host() && plain
    });
    let wrong =
        || HubError::Settings(format!("expected HF_ENDPOINT to be an address, found {stated}"));
    url.ok_or_else(wrong)
}

/// A time above 0, in seconds.
fn seconds(text: &str) -> Option<Duration> {
    let time = Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()?;
    (!time.is_zero()).then_some(time)
}

/// The token, where the hub's programs look for it.
fn token() -> Option<String> {
    if set("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some() {
        return None;
    }
    let read = |path: PathBuf| String::from_utf8(file::read(&path, TOKEN).ok()?).ok();
    let token = set("HF_TOKEN")
        .or_else(|| read(set("HF_TOKEN_PATH")?.into()))
        .or_else(|| read(hf_hub::hf_home().join("token")))?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// What an error comes from, at the bottom.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    printable(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(endpoint: &str) -> Http {
        let endpoint = super::endpoint(endpoint).unwrap();
        Http::with(endpoint, Some(HeaderValue::from_static("Bearer t")), TIMEOUT).unwrap()
    }

    #[test]
    fn redirections_that_are_followed() {
        let (safe, plain) = (http("https://hub.example"), http("http://127.0.0.1:9"));
        for (http, from, to, leads) in [
            (&safe, "https://hub.example/a/b", "/c", Some("https://hub.example/c")),
            (
                &safe,
                "https://hub.example/a/b",
                "https://cdn.example/c",
                Some("https://cdn.example/c"),
            ),
            (&safe, "https://cdn.example/c", "//other.example/d", Some("https://other.example/d")),
            (&safe, "https://hub.example/a", "http://hub.example/a", None),
            (&safe, "https://cdn.example/a", "http://cdn.example/a", None),
            (&safe, "https://hub.example/a", "file:///etc/passwd", None),
            (&safe, "https://hub.example/a", "ftp://hub.example/a", None),
            (&safe, "https://hub.example/a", "data:,x", None),
            (&safe, "https://hub.example/a", "https://me:pass@cdn.example/a", None),
            (&safe, "https://hub.example/a", "https://", None),
            (&plain, "http://127.0.0.1:9/a", "http://127.0.0.1:8/a", Some("http://127.0.0.1:8/a")),
            (
                &plain,
                "http://127.0.0.1:9/a",
                "https://cdn.example/a",
                Some("https://cdn.example/a"),
            ),
            (&plain, "http://127.0.0.1:9/a", "file:///etc/passwd", None),
        ] {
            let next = http.next(&Url::parse(from).unwrap(), &to.parse().unwrap());
            assert_eq!(next.ok().map(|url| url.to_string()).as_deref(), leads, "{to}");
        }
        assert!(safe.next(&safe.endpoint, &HeaderValue::from_bytes(b"/\xff").unwrap()).is_err());
    }

    #[test]
    fn the_token_is_the_endpoints() {
        let http = http("https://hub.example/mirror/");
        assert_eq!(http.url("/api"), "https://hub.example/mirror/api");
        for (url, known) in [
            ("https://hub.example/x", true),
            ("https://hub.example:443/x", true),
            ("https://HUB.example/x", true),
            ("http://hub.example/x", false),
            ("https://hub.example:444/x", false),
            ("https://hub.example.evil.example/x", false),
            ("https://cdn.hub.example/x", false),
            ("https://hub.example@evil.example/x", false),
        ] {
            assert_eq!(http.is_endpoint(&Url::parse(url).unwrap()), known, "{url}");
        }
    }

    #[test]
    fn settings_that_cannot_be() {
        for stated in
            ["", "hub.example", "ftp://hub.example", "https://", "/x", "https://h/?a=b", "data:,x"]
        {
            assert!(endpoint(stated).is_err(), "{stated}");
        }
        assert_eq!(http("https://me:pass@hub.example/").endpoint(), "https://hub.example");
        for text in ["0", "-1", "nan", "inf", "1e300", "x", ""] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(seconds("1.5"), Some(Duration::from_millis(1500)));
    }
}
