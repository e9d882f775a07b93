//! Long proofs: many requests, whatever they are. `cargo xtask prove` runs them whole, the tests a seeded slice.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};

use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, KEY, SECRET, Seen, access_token};

const ROOT: &str = "/services/data/v60.0";
const REFRESH: &str = "5Aep.acme.connected.admin";
const ROTATING_KEY: &str = "3MVG9.acme.rotating";
const ROTATING_SECRET: &str = "acme-rotating-secret";
/// Memory that a second half of requests may need beyond the first.
const GROWTH: u64 = 16 << 20;

/// How much is done, and what every random choice follows from.
struct Proof {
    requests: u64,
    random: Random,
}

impl Proof {
    fn read() -> Self {
        let is_full = std::env::var("ORGTIDE_PROOF").is_ok_and(|proof| proof == "full");
        let seed = std::env::var("ORGTIDE_PROOF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        Self { requests: if is_full { 100_000 } else { 1_500 }, random: Random(seed) }
    }
}

/// A splitmix64 sequence.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// Resident memory of this process; `None` where there is no `/proc`.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

/// A client that signs in, refreshes, rotates, asks, revokes and errs, while days pass.
struct Soaking {
    acme: Acme,
    token: String,
    rotating: String,
}

impl Soaking {
    async fn start() -> Self {
        let acme = Acme::start().await;
        let token = acme.sign_in().await;
        Self { acme, token, rotating: "5Aep.acme.rotating.sam".to_owned() }
    }

    async fn request(&mut self, choice: usize) {
        let acme = &self.acme;
        let answer = match choice {
            0 => acme.client_credentials(KEY, SECRET).await,
            1 => acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, REFRESH).await,
            2 => acme.refresh(ROTATING_KEY, ROTATING_SECRET, &self.rotating).await,
            3 => acme.client_credentials(KEY, "wrong").await,
            4 => acme.password_grant("admin@acme.example", "correct-horseTokenOfAdmin0000000000000").await,
            5 => acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, "never issued").await,
            6 => acme.get(&format!("{ROOT}/query?q=SELECT+Id,Name+FROM+Account"), &self.token).await,
            7 => acme.get(&format!("{ROOT}/query?q=SELECT+Id+FROM+Contact"), &self.token).await,
            8 => acme.get("/services/oauth2/userinfo", &self.token).await,
            _ => acme.get("/services/oauth2/authorize?response_type=code&client_id=unknown", "").await,
        };
        assert!(answer.status < 500, "{choice}: {}", answer.status);
        if choice == 0 {
            self.token = access_token(&answer);
        }
        if choice == 2 {
            self.rotating = answer.json()["refresh_token"].as_str().unwrap().to_owned();
        }
    }

    async fn requests(&mut self, count: u64, random: &mut Random) {
        for number in 0..count {
            self.request(random.below(10)).await;
            if number % 10 == 0 {
                self.acme.emulator.control().advance(Duration::from_secs(60));
            }
        }
    }
}

#[tokio::test]
async fn a_long_run_of_requests_needs_no_more_memory() {
    let Proof { requests, mut random } = Proof::read();
    let mut soaking = Soaking::start().await;
    soaking.requests(requests, &mut random).await;
    let Some(before) = resident_bytes() else {
        println!("skipped: memory is read from /proc alone");
        return;
    };
    soaking.requests(requests, &mut random).await;
    let grown = resident_bytes().unwrap().saturating_sub(before);
    assert!(grown < GROWTH, "{requests} requests after {requests} others needed {grown} bytes more");
    println!("proof: soak: {requests} requests after {requests} others, {} KiB more memory", grown >> 10);
}

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const PATHS: [&str; 33] = [
    "/",
    "/services/oauth2/token",
    "/services/oauth2/authorize",
    "/services/oauth2/introspect",
    "/services/oauth2/revoke",
    "/services/oauth2/userinfo",
    "/services/oauth2/singleaccess",
    "/services/oauth2/register",
    "/services/oauth2/echo",
    "/services/auth/headless/init/registration",
    "/setup/connect",
    "/setup/secur/RemoteAccessAuthorizationPage.apexp",
    "/setup/secur/RemoteAccessErrorPage.apexp",
    "/secur/frontdoor.jsp",
    "/login",
    "/id/keys",
    "/id/00DgL000000ACME/005gL0000000001",
    "/id/%FF/%00",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/auth-configuration",
    "/services/Soap/u/64.0",
    "/services/Soap/c/65.0/00DgL000000ACME",
    "/services/data",
    "/services/data/v60.0/query",
    "/services/data/v60.0/sobjects/Account/describe",
    "/services/data/v60.0/sobjects/Account/001",
    "/services/data/v60.0/composite",
    "/services/data/v60.0/jobs/query",
    "/services/data/v60.0/sobjects/Account/updated",
    "/services/data/v999999999999.0/x",
    "/%C3%28/%ff",
    "//services//oauth2/token",
];
const HOSTS: [&str; 6] = [
    "acme.my.salesforce.com",
    "login.salesforce.com",
    "test.salesforce.com",
    "acme.lightning.force.com",
    "acme.my.salesforce-setup.com",
    "evil.example",
];
const NAMES: [&str; 26] = [
    "grant_type",
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "code",
    "code_verifier",
    "code_challenge",
    "code_challenge_method",
    "refresh_token",
    "assertion",
    "client_assertion",
    "username",
    "password",
    "scope",
    "state",
    "prompt",
    "nonce",
    "token",
    "user_code",
    "startURL",
    "source",
    "format",
    "callback",
    "q",
    "un",
];
const VALUES: [&str; 30] = [
    "",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "password",
    "device",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
    "device_code",
    "code",
    "token",
    "hybrid_token",
    CONNECTED_KEY,
    CONNECTED_SECRET,
    KEY,
    SECRET,
    "https://app.example/callback",
    "https://app.example/callback#x",
    "http://[::1]:99999/\r\nSet-Cookie: a=b",
    "javascript:alert(1)",
    REFRESH,
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIzTVZHOS5hY21lLmNvbm5lY3RlZCJ9.AAAA",
    "admin@acme.example",
    "api refresh_token",
    "login consent",
    "<script>alert(1)</script>",
    "\u{0}\u{202e}\u{feff}🗼",
    "SELECT Id FROM Account",
    "9999999999999999999999999999",
];
const BODIES: [&str; 7] = [
    "",
    "{",
    "[]",
    "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body/></soapenv:Envelope>",
    "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
    "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\ndevice\r\n--b--",
    "{\"compositeRequest\":[{\"method\":\"GET\",\"url\":\"//\",\"referenceId\":\"a\"}]}",
];
const TYPES: [&str; 6] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=",
    "application/json",
    "text/xml",
    "\u{e9}",
];

/// A request that somebody might send.
fn anything(acme: &Acme, token: &str, random: &mut Random) -> RequestBuilder {
    let method = Method::from_bytes(random.of(&METHODS).as_bytes()).unwrap();
    let path: &&str = random.of(&PATHS);
    let url = acme.url(path);
    let pairs: Vec<(&str, &str)> = (0..random.below(9)).map(|_| (*random.of(&NAMES), *random.of(&VALUES))).collect();
    let request = acme.http.request(method, url).header("host", *random.of(&HOSTS));
    let request = match random.below(4) {
        0 => request.query(&pairs),
        1 => request.query(&pairs).header("content-type", *random.of(&TYPES)).body(*random.of(&BODIES)),
        _ => request.form(&pairs),
    };
    match random.below(5) {
        0 => request.bearer_auth(token),
        1 => request.basic_auth(random.of(&VALUES), Some(random.of(&VALUES))),
        2 => request.header("authorization", "Basic ////").header("cookie", "sid=%00; sid=\"; oid"),
        _ => request,
    }
}

/// SOAP faults come with 500; nothing else may.
fn is_answered_well(answer: &Seen) -> bool {
    let is_fault = answer.status == 500 && answer.header("content-type").starts_with("text/xml");
    (answer.status < 500 || is_fault) && !answer.text.contains("panicked")
}

#[tokio::test]
async fn whatever_is_sent_gets_an_answer_that_is_no_server_error() {
    let Proof { requests, mut random } = Proof::read();
    let acme = Acme::start_with(|scenario| {
        scenario.org.soap_login = true;
        scenario.limits.daily_api_requests = u64::MAX;
    })
    .await;
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let acme = Acme { http, ..acme };
    let token = acme.sign_in().await;
    let mut by_class = [0_u64; 6];
    for _ in 0..requests {
        let request = anything(&acme, &token, &mut random).build().unwrap();
        let sent = format!("{} {} {:?}", request.method(), request.url(), request.headers().get("host"));
        let answer =
            Seen::of(acme.http.execute(request).await.unwrap_or_else(|error| panic!("{sent}: {error:?}"))).await;
        assert!(is_answered_well(&answer), "{sent}: {} {}", answer.status, answer.text);
        by_class[usize::from(answer.status / 100)] += 1;
    }
    let [_, _, fine, redirected, refused, faults] = by_class;
    println!(
        "proof: arbitrary requests: {requests} requests, {fine} answered, {redirected} redirected, {refused} refused, \
         {faults} SOAP faults, no server error"
    );
}
