//! Which role opens which page, and which forms are taken.

use super::*;

fn is_for_a_role(answered: &Answered) -> bool {
    answered.status == StatusCode::FORBIDDEN && answered.body.contains("This page is for the role")
}

async fn ask(visitor: &Visitor<'_>, route: &Route) -> Answered {
    match route.method {
        "GET" => visitor.get(&filled(route)).await,
        _ => visitor.post(&filled(route), &[]).await,
    }
}

#[tokio::test]
async fn every_route_is_open_to_its_roles_alone() {
    let installation = Installation::fresh().await;
    for route in routes::all() {
        let answered = ask(&installation.visitor(), &route).await;
        let is_sent_away = answered.status == StatusCode::SEE_OTHER && answered.place().starts_with("/sign-in");
        assert_eq!(is_sent_away, route.access != Access::Anyone, "{} {}", route.method, route.path);
        for role in Role::ALL {
            // Some routes end the session.
            let answered = ask(&installation.user(role).await, &route).await;
            let may = match route.access {
                Access::Anyone => true,
                Access::Signed(least) => role >= least,
            };
            assert_eq!(!is_for_a_role(&answered), may, "{} {} as {role}: {answered:?}", route.method, route.path);
            assert_ne!(answered.status, StatusCode::INTERNAL_SERVER_ERROR, "{} {}", route.method, route.path);
            assert_ne!(answered.status, StatusCode::METHOD_NOT_ALLOWED, "{} {}", route.method, route.path);
        }
    }
}

#[tokio::test]
async fn a_form_that_no_page_of_this_session_sends_changes_nothing() {
    let installation = Installation::fresh().await;
    for route in routes::all().into_iter().filter(|route| route.method == "POST") {
        let owner = installation.user(Role::Owner).await;
        let path = filled(&route);
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:1"),
        ] {
            let request = owner.request(Method::POST, &path).header(name, value).body(owner.body(&[])).unwrap();
            let answered = installation.send(request).await;
            assert_eq!(answered.status, StatusCode::FORBIDDEN, "{path} {name}: {value}");
            assert!(answered.body.contains("This form is out of date"), "{path} {name}: {value}");
        }
        if route.access == Access::Anyone {
            continue;
        }
        let other = installation.user(Role::Owner).await;
        for body in [Body::empty(), other.body(&[]), Body::from("form_token=")] {
            let request = owner.request(Method::POST, &path).header("sec-fetch-site", "same-origin");
            let answered = installation.send(request.body(body).unwrap()).await;
            assert_eq!(answered.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
}

#[tokio::test]
async fn a_form_is_taken_from_every_name_of_the_console_that_the_browser_may_show() {
    let installation = Installation::fresh().await;
    let owner = installation.user(Role::Owner).await;
    for (host, origin) in [(HOST, "http://127.0.0.1:8723"), ("localhost:8723", "http://localhost:8723")] {
        let request = Request::post("/users/withdraw")
            .header(header::HOST, host)
            .header(header::ORIGIN, origin)
            .header(header::COOKIE, format!("orgtide={}", owner.session.as_ref().unwrap()));
        let answered = installation.send(request.body(owner.body(&[])).unwrap()).await;
        assert_eq!(answered.place(), "/users?done=withdrawn");
    }
}

#[tokio::test]
async fn a_name_that_is_not_the_consoles_gets_no_page() {
    let installation = Installation::fresh().await;
    for host in ["evil.example", "127.0.0.1:1", "evil.example:8723"] {
        let request = Request::get("/sign-in").header(header::HOST, host).body(Body::empty()).unwrap();
        let answered = installation.send(request).await;
        assert_eq!(answered.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!answered.body.contains("<form"), "{host}");
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused() {
    let installation = Installation::fresh().await;
    let visitor = installation.visitor();
    let request = visitor.request(Method::POST, "/sign-in").body(Body::from("x".repeat(300 * 1024))).unwrap();
    assert_eq!(installation.send(request).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}
