//! The first start, links, signing in and out.

use super::*;

#[tokio::test]
async fn the_first_start_makes_one_owner_and_its_link_serves_once() {
    let installation = Installation::fresh().await;
    let visitor = installation.visitor();
    assert!(visitor.get("/sign-in").await.body.contains("Nobody has an account yet"));
    let first = installation.app.first_start().await.unwrap().unwrap();
    let replaced = installation.app.first_start().await.unwrap().unwrap();
    let gone = visitor.get(&format!("/link?token={}", first.expose())).await;
    assert_eq!(gone.status, StatusCode::GONE, "{gone:?}");

    let path = format!("/link?token={}", replaced.expose());
    assert!(visitor.get(&path).await.body.contains("Welcome to Orgtide"));
    let fields = [("token", replaced.expose()), ("email", "Ada@Example.com"), ("password", "short")];
    let refused = visitor.post("/link", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("at least 12 characters") && refused.body.contains("Ada@Example.com"));

    let fields = [("token", replaced.expose()), ("email", "Ada@Example.com"), ("password", PASSWORD)];
    let made = visitor.post("/link", &fields).await;
    assert_eq!(made.place(), "/integrations", "{made:?}");
    let ada = Visitor { session: made.session(), ..installation.visitor() };
    assert!(ada.get("/users").await.body.contains("ada@example.com"));

    assert_eq!(visitor.get(&path).await.status, StatusCode::GONE);
    assert_eq!(visitor.post("/link", &fields).await.status, StatusCode::GONE);
    assert!(installation.app.first_start().await.unwrap().is_none());
}

#[tokio::test]
async fn a_link_ends_after_a_day() {
    let installation = Installation::fresh().await;
    let first = installation.app.first_start().await.unwrap().unwrap();
    let path = format!("/link?token={}", first.expose());
    installation.pass(LINK_MILLIS - 1);
    assert_eq!(installation.visitor().get(&path).await.status, StatusCode::OK);
    installation.pass(1);
    assert_eq!(installation.visitor().get(&path).await.status, StatusCode::GONE);
}

async fn enter<'a>(installation: &'a Installation, email: &str, password: &str) -> (Answered, Visitor<'a>) {
    let visitor = installation.visitor();
    let answered = visitor.post("/sign-in", &[("email", email), ("password", password), ("to", "/journal")]).await;
    let session = answered.session();
    (answered, Visitor { session, ..visitor })
}

#[tokio::test]
async fn signing_in_gives_a_new_session_and_ends_the_one_that_was_presented() {
    let installation = Installation::fresh().await;
    let admin = installation.user(Role::Admin).await;
    let fixed = admin.session.clone().unwrap();
    let answered =
        admin.post("/sign-in", &[("email", "ADMIN@example.com "), ("password", PASSWORD), ("to", "/journal")]).await;
    assert_eq!(answered.place(), "/journal");
    let cookie = answered.header(header::SET_COOKIE).to_owned();
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800"), "{cookie}");
    let fresh = answered.session().unwrap();
    assert_ne!(fresh, fixed);
    assert_eq!(admin.get("/journal").await.place(), "/sign-in?to=%2Fjournal");
    let now = Visitor { session: Some(fresh), ..installation.visitor() };
    assert_eq!(now.get("/journal").await.status, StatusCode::OK);
}

#[tokio::test]
async fn over_tls_the_cookie_belongs_to_this_host_alone() {
    let installation = Installation::with(&[("ORGTIDE_PUBLIC_URL", "https://orgtide.example.com")], |_| {}).await;
    let link = installation.app.demonstrate_to("owner@example.com").await.unwrap();
    let request = Request::post("/link").header(header::HOST, "orgtide.example.com");
    let request = request.header(header::ORIGIN, "https://orgtide.example.com");
    let answered = installation.send(request.body(Body::from(format!("token={}", link.expose()))).unwrap()).await;
    let cookie = answered.header(header::SET_COOKIE);
    assert!(cookie.starts_with("__Host-orgtide=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(answered.header(header::STRICT_TRANSPORT_SECURITY), "max-age=31536000");
}

#[tokio::test]
async fn wrong_passwords_and_unknown_addresses_are_answered_alike_and_slowed_down() {
    let installation = Installation::fresh().await;
    installation.user(Role::Member).await;
    let (wrong, _) = enter(&installation, "member@example.com", "wrong").await;
    let (unknown, _) = enter(&installation, "nobody@example.com", "wrong").await;
    assert_eq!((wrong.status, unknown.status), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN));
    assert_eq!(wrong.body.replace("member@", "nobody@"), unknown.body);
    assert!(wrong.body.contains("The address or the password is wrong"));

    for _ in 0..9 {
        enter(&installation, "member@example.com", "wrong").await;
    }
    let (refused, _) = enter(&installation, "member@example.com", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        refused.body.contains("Too many attempts to sign in; the next one is possible in 60 seconds"),
        "{refused:?}"
    );
    let (other, _) = enter(&installation, "nobody@example.com", "wrong").await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);

    installation.pass(60_000);
    let (right, member) = enter(&installation, "member@example.com", PASSWORD).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    assert_eq!(member.get("/integrations").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_is_slowed_down() {
    let installation = Installation::fresh().await;
    let mut refused = None;
    for number in 0..31 {
        let (answered, _) = enter(&installation, &format!("{number}@example.com"), "wrong").await;
        refused = Some(answered.status);
    }
    assert_eq!(refused, Some(StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_when_its_user_says_so() {
    let installation = Installation::fresh().await;
    installation.user(Role::Member).await;
    let (_, first) = enter(&installation, "member@example.com", PASSWORD).await;
    let (_, second) = enter(&installation, "member@example.com", PASSWORD).await;
    let is_in = async |visitor: &Visitor<'_>| visitor.get("/account").await.status == StatusCode::OK;

    assert_eq!(first.post("/sign-out", &[]).await.place(), "/sign-in?done=signed-out");
    assert!(!is_in(&first).await && is_in(&second).await);

    let (_, third) = enter(&installation, "member@example.com", PASSWORD).await;
    second.post("/account/sign-out-everywhere", &[]).await;
    assert!(!is_in(&second).await && !is_in(&third).await);

    let (_, fourth) = enter(&installation, "member@example.com", PASSWORD).await;
    installation.pass(IDLE_MILLIS - 1);
    assert!(is_in(&fourth).await);
    installation.pass(IDLE_MILLIS);
    assert!(!is_in(&fourth).await);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_not_this_one() {
    let installation = Installation::fresh().await;
    installation.user(Role::Member).await;
    let (_, here) = enter(&installation, "member@example.com", PASSWORD).await;
    let (_, elsewhere) = enter(&installation, "member@example.com", PASSWORD).await;
    let wrong = here.post("/account/password", &[("current", "wrong"), ("password", "another long password")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = here.post("/account/password", &[("current", PASSWORD), ("password", "another long password")]).await;
    assert_eq!(done.place(), "/account?done=password");
    assert_eq!(here.get("/account").await.status, StatusCode::OK);
    assert_eq!(elsewhere.get("/account").await.status, StatusCode::SEE_OTHER);
    let (old, _) = enter(&installation, "member@example.com", PASSWORD).await;
    assert_eq!(old.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn people_are_invited_by_a_link_and_nobody_makes_somebody_above_themselves() {
    let installation = Installation::fresh().await;
    let admin = installation.user(Role::Admin).await;
    let refused = admin.post("/users/invite", &[("email", "eve@example.com"), ("role", "owner")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("The role admin does not allow that"), "{}", refused.body);

    let invited = admin.post("/users/invite", &[("email", "bob@example.com"), ("role", "member")]).await;
    let link = invited.body.split("<code id=\"made-link\">").nth(1).unwrap().split('<').next().unwrap();
    let token = link.split_once("token=").unwrap().1;
    assert!(link.starts_with("http://localhost:8723/link?token="), "{link}");
    assert!(!admin.get("/users").await.body.contains(token), "a link is shown once");

    let visitor = installation.visitor();
    let page = visitor.get(&format!("/link?token={token}")).await;
    assert!(page.body.contains("You are invited") && page.body.contains("bob@example.com"));
    // The address is that of the invitation, whatever the form says.
    let fields = [("token", token), ("email", "owner@example.com"), ("password", PASSWORD)];
    let bob = Visitor { session: visitor.post("/link", &fields).await.session(), ..installation.visitor() };
    assert!(bob.get("/account").await.body.contains("bob@example.com · member"));
    assert_eq!(bob.get("/users").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_last_owner_stays_and_a_removed_user_is_out_at_once() {
    let installation = Installation::fresh().await;
    let owner = installation.user(Role::Owner).await;
    let member = installation.user(Role::Member).await;
    let (users, _) = installation.app.people().await.unwrap();
    let id = |email: &str| users.iter().find(|user| user.email == email).unwrap().id.clone();
    let (ada, bob) = (id("owner@example.com"), id("member@example.com"));

    for (path, fields) in
        [(format!("/users/{ada}/remove"), vec![]), (format!("/users/{ada}/role"), vec![("role", "admin")])]
    {
        let refused = owner.post(&path, &fields).await;
        assert!(refused.body.contains("The last owner can neither be removed"), "{refused:?}");
    }
    assert_eq!(owner.post(&format!("/users/{bob}/role"), &[("role", "owner")]).await.place(), "/users?done=role");
    assert_eq!(member.get("/users").await.status, StatusCode::OK);
    assert_eq!(owner.post(&format!("/users/{bob}/remove"), &[]).await.place(), "/users?done=removed");
    assert_eq!(member.get("/account").await.status, StatusCode::SEE_OTHER);
    let journal = owner.get("/journal").await.body;
    for event in ["account-created", "invited", "role-changed", "account-removed"] {
        assert!(journal.contains(event), "{event} is in the journal");
    }
}
