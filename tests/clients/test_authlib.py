"""authlib, unmodified, against the emulated org: every way to sign in that it offers, through to a query and a refresh.
Run by `cargo xtask test`, like the tests of simple-salesforce."""

import json
import os
import unittest
from pathlib import Path

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from person import Person

ORG = json.loads(os.environ["ORGTIDE_CLIENTS"])
AUTHORIZE = ORG["url"] + "/services/oauth2/authorize"
TOKEN = ORG["url"] + "/services/oauth2/token"
REVOKE = ORG["url"] + "/services/oauth2/revoke"
INTROSPECT = ORG["url"] + "/services/oauth2/introspect"
QUERY = ORG["url"] + "/services/data/v60.0/query"
CALLBACK = "https://app.example/callback"
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"
PRIVATE_KEY = Path("emulator/tests/it/keys/client.key.pem").read_text()


def session(method="client_secret_post"):
    """Without a scope of its own: authlib would send it with every refresh, which Salesforce refuses."""
    return OAuth2Session(
        ORG["client_id"],
        ORG["client_secret"],
        token_endpoint_auth_method=method,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )


def sign_in(client, authorize=AUTHORIZE, token=TOKEN, scope="api refresh_token"):
    """Authorization code with PKCE, by way of a person in a browser."""
    url, state = client.create_authorization_url(authorize, code_verifier=VERIFIER, scope=scope)
    person = Person(ORG["username"], ORG["password"])
    callback = person.authorize(url, CALLBACK)
    return client.fetch_token(token, authorization_response=callback, state=state, code_verifier=VERIFIER)


def contacts(client):
    answer = client.get(QUERY, params={"q": "SELECT COUNT() FROM Contact"})
    answer.raise_for_status()
    return answer.json()["totalSize"]


class AuthorizationCode(unittest.TestCase):
    def test_a_person_signs_in_and_the_app_queries_and_refreshes(self):
        client = session()
        token = sign_in(client)
        self.assertEqual(token["token_type"], "Bearer")
        self.assertEqual(token["instance_url"], ORG["url"])
        self.assertGreater(contacts(client), 0)
        renewed = client.refresh_token(TOKEN)
        self.assertNotEqual(renewed["access_token"], token["access_token"])
        self.assertGreater(contacts(client), 0)

    def test_the_login_host_serves_the_same_org(self):
        login = "https://login.salesforce.com/services/oauth2"
        client = session()
        token = sign_in(client, authorize=login + "/authorize", token=login + "/token")
        self.assertEqual(token["instance_url"], ORG["url"])
        self.assertGreater(contacts(client), 0)

    def test_basic_authentication_serves_as_well(self):
        client = session("client_secret_basic")
        sign_in(client)
        self.assertGreater(contacts(client), 0)

    def test_a_scope_in_a_refresh_is_refused(self):
        client = session()
        sign_in(client)
        with self.assertRaises(OAuthError) as refused:
            client.refresh_token(TOKEN, scope="api")
        self.assertEqual(refused.exception.description, "scope parameter not supported")

    def test_a_denial_comes_back_as_access_denied(self):
        client = session()
        url, _ = client.create_authorization_url(AUTHORIZE, code_verifier=VERIFIER, prompt="consent")
        callback = Person(ORG["username"], ORG["password"]).authorize(url, CALLBACK, answer="Deny")
        self.assertIn("error=access_denied&error_description=end-user+denied+authorization", callback)

    def test_another_verifier_is_refused(self):
        client = session()
        url, _ = client.create_authorization_url(AUTHORIZE, code_verifier=VERIFIER)
        callback = Person(ORG["username"], ORG["password"]).authorize(url, CALLBACK)
        with self.assertRaises(OAuthError) as refused:
            client.fetch_token(TOKEN, authorization_response=callback, code_verifier=VERIFIER + "x")
        self.assertEqual(refused.exception.error, "invalid_grant")

    def test_a_token_of_the_user_agent_flow_is_read_from_the_fragment(self):
        client = OAuth2Session(ORG["client_id"], redirect_uri=CALLBACK, scope="api", response_type="token")
        url, state = client.create_authorization_url(AUTHORIZE)
        callback = Person(ORG["username"], ORG["password"]).authorize(url, CALLBACK)
        client.fetch_token(authorization_response=callback, state=state)
        self.assertGreater(contacts(client), 0)


class ClientCredentials(unittest.TestCase):
    def test_either_way_of_authentication_opens_a_session(self):
        for method in ("client_secret_post", "client_secret_basic"):
            client = session(method)
            client.fetch_token(TOKEN, grant_type="client_credentials")
            self.assertGreater(contacts(client), 0)

    def test_a_client_assertion_takes_the_place_of_the_secret(self):
        client = OAuth2Session(ORG["jwt_client_id"], PRIVATE_KEY, token_endpoint_auth_method="private_key_jwt")
        client.register_client_auth_method(PrivateKeyJWT(TOKEN))
        client.fetch_token(TOKEN, grant_type="client_credentials")
        self.assertGreater(contacts(client), 0)

    def test_a_wrong_secret_is_refused(self):
        client = OAuth2Session(ORG["client_id"], "wrong", token_endpoint_auth_method="client_secret_post")
        with self.assertRaises(OAuthError) as refused:
            client.fetch_token(TOKEN, grant_type="client_credentials")
        self.assertEqual(refused.exception.error, "invalid_client")


class JwtBearer(unittest.TestCase):
    def test_an_assertion_opens_a_session_and_another_when_it_ends(self):
        client = AssertionSession(
            TOKEN,
            issuer=ORG["jwt_client_id"],
            subject=ORG["run_as"],
            audience="https://login.salesforce.com",
            key=PRIVATE_KEY,
            header={"alg": "RS256"},
        )
        self.assertGreater(contacts(client), 0)
        first = client.token["access_token"]
        client.refresh_token()
        self.assertNotEqual(client.token["access_token"], first)


class Tokens(unittest.TestCase):
    def test_introspection_tells_the_life_of_a_token_and_revocation_ends_it(self):
        client = session()
        token = sign_in(client)
        ask = lambda name: client.introspect_token(INTROSPECT, token=token[name], token_type_hint=name).json()
        alive = ask("access_token")
        self.assertTrue(alive["active"])
        self.assertEqual(alive["username"], ORG["username"])
        self.assertGreater(alive["exp"], alive["iat"])
        self.assertTrue(ask("refresh_token")["active"])
        client.revoke_token(REVOKE, token=token["refresh_token"], token_type_hint="refresh_token")
        self.assertEqual(ask("access_token"), {"active": False})
        with self.assertRaises(OAuthError) as refused:
            client.refresh_token(TOKEN, refresh_token=token["refresh_token"])
        self.assertEqual(refused.exception.error, "invalid_grant")


if __name__ == "__main__":
    unittest.main()
