//! Resources of the platform beside the records.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::route::PlatformRoute;
use crate::scenario::{Right, UserSpec};

impl Org {
    pub(super) async fn platform(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: PlatformRoute,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        match route {
            PlatformRoute::Tooling(route) => self.tooling(call, caller, route, effect).await,
            PlatformRoute::ChatterUsers => self.chatter_users(call, caller),
            PlatformRoute::ChatterUser(user) => self.chatter_user(call, caller, &user),
            PlatformRoute::ConnectOrganization => self.connect_organization(call, caller),
            // Connect REST API guide, "Communities List": the org has none.
            PlatformRoute::ConnectCommunities => {
                allow(call, &[Method::GET])?;
                Ok(Answer::ok(&json!({"communities": [], "total": 0})))
            }
            PlatformRoute::Usage(route) => self.usage_of_apps(call, caller, &route),
            PlatformRoute::UserPassword(id) => self.user_password(call, caller, &id),
            PlatformRoute::Unlicensed => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "FUNCTIONALITY_NOT_ENABLED",
                "This feature is not currently enabled for this user or organization.",
            )),
        }
    }

    /// `GET /chatter/users/me` and `GET /chatter/users/{id}` (Connect REST API guide, "User Detail").
    fn chatter_user(&self, call: &Call, caller: &Caller, user: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let asked = if user == "me" { caller.user_id.to_string() } else { user.to_owned() };
        let setup = self.setup(call);
        let user = self.user_named(&setup.users, &asked).ok_or_else(ApiError::not_found)?;
        Ok(Answer::ok(&self.user_detail(call, caller, user)))
    }

    /// `GET /chatter/users` (Connect REST API guide, "Users"): a page of those who are active, by name.
    fn chatter_users(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let number = |name: &str, otherwise: usize| {
            call.parameter(name).and_then(|text| text.parse::<usize>().ok()).unwrap_or(otherwise)
        };
        let (page, size) = (number("page", 0), number("pageSize", 25).clamp(1, 100));
        let wanted = call.parameter("q").unwrap_or_default().to_lowercase();
        let setup = self.setup(call);
        let found = |user: &&UserSpec| user.active && user.full_name().to_lowercase().contains(&wanted);
        let mut users: Vec<&UserSpec> = setup.users.iter().filter(found).collect();
        users.sort_by_key(|user| user.full_name());
        let url = |page: usize| format!("{}/chatter/users?page={page}&pageSize={size}", caller.root());
        let first = page.saturating_mul(size);
        let has_more = first.saturating_add(size) < users.len();
        let shown = users.iter().skip(first).take(size).map(|user| self.user_detail(call, caller, user));
        Ok(Answer::ok(&json!({
            "currentPageToken": page,
            "currentPageUrl": url(page),
            "nextPageToken": has_more.then_some(page.saturating_add(1)),
            "nextPageUrl": has_more.then(|| url(page.saturating_add(1))),
            "previousPageToken": page.checked_sub(1),
            "previousPageUrl": page.checked_sub(1).map(url),
            "users": shown.collect::<Vec<_>>(),
        })))
    }

    fn user_detail(&self, call: &Call, caller: &Caller, user: &UserSpec) -> Value {
        let base = self.instance_url(call.arrival);
        let id = self.user_id(&user.username).to_string();
        let url = format!("{}/chatter/users/{id}", caller.root());
        let photo = |letter: char| format!("{base}/profilephoto/005/{letter}");
        json!({
            "aboutMe": null,
            "additionalLabel": null,
            "address": {
                "city": null, "country": "US", "formattedAddress": "US", "state": null, "street": null, "zip": null,
            },
            "bannerPhoto": {
                "bannerPhotoUrl": photo('B'),
                "bannerPhotoVersionId": null,
                "url": format!("{}/connect/user-profiles/{id}/banner-photo", caller.root()),
            },
            "chatterActivity": {"commentCount": 0, "commentReceivedCount": 0, "likeReceivedCount": 0, "postCount": 0},
            "chatterInfluence": {"percentile": "0.0", "rank": 1},
            "communityNickname": user.username.split('@').next(),
            "companyName": self.scenario.org.name,
            "displayName": user.full_name(),
            "email": user.address(),
            "firstName": user.first_name,
            "followersCount": 0,
            "followingCounts": {"people": 0, "records": 0, "total": 0},
            "groupCount": 0,
            "hasChatter": true,
            "id": id,
            "isActive": user.active,
            "isInThisCommunity": true,
            "lastName": user.last_name,
            "managerId": null,
            "managerName": null,
            "motif": {
                "color": "65CAE4",
                "largeIconUrl": "/img/icon/profile64.png",
                "mediumIconUrl": "/img/icon/profile32.png",
                "smallIconUrl": "/img/icon/profile16.png",
                "svgIconUrl": null,
            },
            "mySubscription": null,
            "name": user.full_name(),
            "outOfOffice": {"message": ""},
            "phoneNumbers": [],
            "photo": {
                "fullEmailPhotoUrl": format!("{base}/img/userprofile/default_profile_200_v2.png?fromEmail=1"),
                "largePhotoUrl": photo('F'),
                "mediumPhotoUrl": photo('M'),
                "photoVersionId": null,
                "smallPhotoUrl": photo('T'),
                "standardEmailPhotoUrl": format!("{base}/img/userprofile/default_profile_45_v2.png?fromEmail=1"),
                "url": format!("{url}/photo"),
            },
            "reputation": null,
            "thanksReceived": null,
            "title": null,
            "type": "User",
            "url": url,
            "userType": "Internal",
            "username": user.username,
        })
    }

    /// `GET /connect/organization` (Connect REST API guide, "Organization"). Features of Chatter, of forecasts and of mobile
    /// apps are off or left out.
    fn connect_organization(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let setup = self.setup(call);
        let currencies = self.scenario.currencies.as_ref();
        let corporate = currencies.map_or("USD", |currencies| &currencies.corporate);
        let is_single = currencies.is_none();
        Ok(Answer::ok(&json!({
            "accessTimeout": setup.org.session_timeout_minutes,
            "features": {
                "chatter": false,
                "chatterActivity": false,
                "chatterTopics": false,
                "communitiesEnabled": false,
                "defaultCurrencyIsoCode": is_single.then_some(corporate),
                "defaultLocale": "en_US",
                "files": false,
                "fiscalYearStartMonth": 1,
                "multiCurrency": !is_single,
                "publisherActions": false,
                "usesStartDateAsFiscalYearName": false,
                "wave": false,
            },
            "maintenanceInfo": [],
            "name": setup.org.name,
            "orgId": self.id.to_string(),
            "userSettings": {
                "canFollow": false,
                "canModifyAllData": caller.access.may_everywhere(Right::Edit),
                "canOwnGroups": false,
                "canViewAllData": caller.access.may_everywhere(Right::Read),
                "canViewAllGroups": false,
                "canViewAllUsers": true,
                "canViewFullUserProfile": true,
                "canViewPublicFiles": false,
                "currencySymbol": is_single.then_some("$"),
                "externalUser": false,
                "hasAccessToInternalOrg": true,
                "hasChatter": false,
                "hasRestDataApiAccess": true,
                "timeZone": {"gmtOffset": 0.0, "name": "GMT"},
                "userDefaultCurrencyIsoCode": (!is_single).then_some(corporate),
                "userId": caller.user_id.to_string(),
                "userLocale": "en_US",
            },
        })))
    }

    /// The user with an id in 15 or 18 characters.
    pub(super) fn user_named<'a>(&self, users: &'a [UserSpec], id: &str) -> Option<&'a UserSpec> {
        let is_named = |user: &&UserSpec| {
            let known = self.user_id(&user.username).to_string();
            matches!(id.len(), 15 | 18) && known.get(..15) == id.get(..15)
        };
        users.iter().find(is_named)
    }
}
