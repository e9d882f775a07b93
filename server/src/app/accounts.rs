//! Accounts of the console: the first start, invitations, signing in and out.

use salesforce::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::App;
use crate::{
    auth::{
        self, AuthError, IDLE_MILLIS, LINK_MILLIS, Purpose, Role, SEEN_EVERY_MILLIS, Token,
        password::{self, check},
    },
    error::Error,
    store::{
        journal::Actor,
        users::{AccountChange, Link, User},
    },
};

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Caller {
    pub user: User,
    pub session: Token,
}

/// Who tries to sign in.
#[derive(Debug)]
pub struct Attempt<'a> {
    pub email: &'a str,
    pub password: SecretString,
    /// The network address, as text.
    pub address: &'a str,
    /// The session that the browser has now; it ends.
    pub replaced: Option<&'a Token>,
}

impl App {
    /// A link that makes the first owner; `None` once there is one. It replaces the link before it.
    pub async fn first_start(&self) -> Result<Option<Token>, Error> {
        if self.store.has_owner().await? {
            return Ok(None);
        }
        self.link(Purpose::FirstStart, None).await.map(Some)
    }

    /// Whether the first start is over.
    pub async fn is_started(&self) -> Result<bool, Error> {
        Ok(self.store.has_owner().await?)
    }

    /// Makes an owner whose password nobody knows, and a link that signs them in: for the demonstration.
    pub(crate) async fn demonstrate_to(&self, email: &str) -> Result<Token, Error> {
        if let Some(first) = self.first_start().await? {
            let password = Token::fresh().expose().into();
            self.create(&first, Purpose::FirstStart, email, Role::Owner, password).await?;
        }
        self.link(Purpose::SignIn, Some(email)).await
    }

    async fn link(&self, purpose: Purpose, email: Option<&str>) -> Result<Token, Error> {
        let token = Token::fresh();
        let expires_at = Timestamp(self.clock.now().0 + LINK_MILLIS);
        self.store.save_link(&token, &Link { purpose, email: email.map(str::to_owned), expires_at }).await?;
        Ok(token)
    }

    /// What a one-time link is for, while it can be used.
    pub async fn open_link(&self, token: &Token) -> Result<Link, Error> {
        Ok(self.store.link(token).await?.ok_or(AuthError::LinkGone)?)
    }

    /// Uses a link up as its purpose says, and signs its user in. `typed` is the address for the first owner; any other
    /// link knows for whom it is. A link that signs in takes no password.
    pub async fn follow_link(
        &self,
        token: &Token,
        typed: Option<&str>,
        password: SecretString,
        replaced: Option<&Token>,
    ) -> Result<Caller, Error> {
        let link = self.open_link(token).await?;
        let email = match &link.email {
            Some(email) => email.clone(),
            None => auth::email(typed.unwrap_or_default())?,
        };
        let user = match link.purpose {
            Purpose::FirstStart => self.create(token, link.purpose, &email, Role::Owner, password).await?,
            Purpose::Invitation(role) => self.create(token, link.purpose, &email, role, password).await?,
            Purpose::Password => {
                check(&password)?;
                let user = self.user_of(&email).await?;
                let hash = password::hash(password).await;
                done(self.store.replace_password(token, &user, &hash).await?, &email, AuthError::LinkGone)?;
                self.note(&email, "password-set", json!({})).await?;
                user
            }
            Purpose::SignIn => {
                let user = self.user_of(&email).await?;
                done(self.store.use_link(token, link.purpose).await?, &email, AuthError::LinkGone)?;
                user
            }
        };
        self.open_session(user, replaced).await
    }

    async fn create(
        &self,
        token: &Token,
        purpose: Purpose,
        email: &str,
        role: Role,
        password: SecretString,
    ) -> Result<User, Error> {
        check(&password)?;
        let hash = password::hash(password).await;
        let created = self.store.create_user(token, purpose, email, role, &hash).await?;
        let created = done(created, email, AuthError::LinkGone)?;
        self.note(email, "account-created", json!({ "role": role.name() })).await?;
        Ok(created)
    }

    /// Notes what somebody has done with accounts.
    async fn note(&self, email: &str, event: &'static str, detail: Value) -> Result<(), Error> {
        Ok(self.store.note(None, &Actor::User(email.to_owned()), event, detail).await?)
    }

    async fn user_of(&self, email: &str) -> Result<User, Error> {
        let found = self.store.user_to_sign_in(email).await?;
        Ok(found.map(|(user, _)| user).ok_or(AuthError::NoSuchUser)?)
    }

    /// Signs in with a password. An unknown address takes as long as a wrong password, and is answered alike.
    pub async fn sign_in(&self, attempt: Attempt<'_>) -> Result<Caller, Error> {
        let now = self.clock.now();
        let email = attempt.email.trim().to_lowercase();
        let too_many = |seconds| AuthError::TooManyAttempts { seconds };
        self.attempts_of_address.attempt(attempt.address, now).map_err(too_many)?;
        self.attempts_of_user.attempt(&email, now).map_err(too_many)?;
        let (user, hash) = self.store.user_to_sign_in(&email).await?.unzip();
        let is_right = password::is_right(attempt.password, hash).await;
        let user = user.filter(|_| is_right).ok_or(AuthError::WrongPassword)?;
        self.attempts_of_user.forgive(&email);
        self.open_session(user, attempt.replaced).await
    }

    async fn open_session(&self, user: User, replaced: Option<&Token>) -> Result<Caller, Error> {
        let session = Token::fresh();
        let forgotten = Timestamp(self.clock.now().0 - IDLE_MILLIS);
        self.store.open_session(&session, &user, replaced, forgotten).await?;
        Ok(Caller { user, session })
    }

    /// Who presents this session; `None` when it is none, or is over.
    pub async fn caller(&self, session: &Token) -> Result<Option<Caller>, Error> {
        let Some(stored) = self.store.session(session).await? else { return Ok(None) };
        let now = self.clock.now();
        if !auth::is_alive(stored.created_at, stored.seen_at, now) {
            self.store.end_session(session).await?;
            return Ok(None);
        }
        if now.0 - stored.seen_at.0 >= SEEN_EVERY_MILLIS {
            self.store.touch_session(session).await?;
        }
        Ok(Some(Caller { user: stored.user, session: session.clone() }))
    }

    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Error> {
        Ok(self.store.end_session(&caller.session).await?)
    }

    /// Ends every session of the caller, in every browser.
    pub async fn sign_out_everywhere(&self, caller: &Caller) -> Result<(), Error> {
        Ok(self.store.end_sessions(&caller.user.id).await?)
    }

    /// Gives the caller another password; other browsers are signed out.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: SecretString,
        wanted: SecretString,
    ) -> Result<(), Error> {
        check(&wanted)?;
        let email = &caller.user.email;
        self.attempts_of_user
            .attempt(email, self.clock.now())
            .map_err(|seconds| AuthError::TooManyAttempts { seconds })?;
        let hash = self.store.user_to_sign_in(email).await?.map(|(_, hash)| hash);
        if !password::is_right(current, hash).await {
            return Err(AuthError::WrongPassword.into());
        }
        self.attempts_of_user.forgive(email);
        let hash = password::hash(wanted).await;
        done(self.store.change_password(&caller.user, &hash, &caller.session).await?, email, AuthError::NoSuchUser)?;
        self.note(email, "password-set", json!({})).await
    }

    /// Everybody with an account, and the links that wait to be used.
    pub async fn people(&self) -> Result<(Vec<User>, Vec<Link>), Error> {
        Ok((self.store.users().await?, self.store.links().await?))
    }

    /// A link for somebody new. Only an owner makes owners.
    pub async fn invite(&self, caller: &Caller, typed: &str, role: Role) -> Result<Token, Error> {
        if role > caller.user.role {
            return Err(AuthError::NotAllowed(caller.user.role).into());
        }
        let email = auth::email(typed)?;
        if self.store.user_to_sign_in(&email).await?.is_some() {
            return Err(AuthError::EmailTaken(email).into());
        }
        self.store.forget_links(&email).await?;
        let link = self.link(Purpose::Invitation(role), Some(&email)).await?;
        self.note(&caller.user.email, "invited", json!({ "who": email, "role": role.name() })).await?;
        Ok(link)
    }

    /// Takes an invitation back.
    pub async fn withdraw(&self, caller: &Caller, email: &str) -> Result<(), Error> {
        self.store.forget_links(email).await?;
        self.note(&caller.user.email, "link-taken-back", json!({ "who": email })).await
    }

    /// A link with which a user sets a new password. Nobody makes one for a higher role.
    pub async fn password_link(&self, caller: &Caller, id: &str) -> Result<(User, Token), Error> {
        let user = self.store.user(id).await?.ok_or(AuthError::NoSuchUser)?;
        if user.role > caller.user.role {
            return Err(AuthError::NotAllowed(caller.user.role).into());
        }
        let token = self.link(Purpose::Password, Some(&user.email)).await?;
        self.note(&caller.user.email, "password-link-made", json!({ "who": user.email })).await?;
        Ok((user, token))
    }

    /// Gives a user another role.
    pub async fn change_role(&self, caller: &Caller, id: &str, role: Role) -> Result<(), Error> {
        let user = self.store.user(id).await?.ok_or(AuthError::NoSuchUser)?;
        done(self.store.change_role(id, role).await?, id, AuthError::LastOwner)?;
        self.note(&caller.user.email, "role-changed", json!({ "who": user.email, "role": role.name() })).await
    }

    /// Removes a user. What they connected stays.
    pub async fn remove_user(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let user = self.store.user(id).await?.ok_or(AuthError::NoSuchUser)?;
        done(self.store.remove_user(id).await?, id, AuthError::LastOwner)?;
        self.note(&caller.user.email, "account-removed", json!({ "who": user.email })).await
    }
}

fn done<T>(change: AccountChange<T>, email: &str, refused: AuthError) -> Result<T, Error> {
    match change {
        AccountChange::Done(done) => Ok(done),
        AccountChange::Refused => Err(refused.into()),
        AccountChange::EmailTaken => Err(AuthError::EmailTaken(email.to_owned()).into()),
    }
}
