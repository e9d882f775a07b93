//! A user's rights as the data side asks for them.

use std::borrow::Cow;

use crate::scenario::{Right, UserAccess};
use crate::schema::{Access, Field, Object, Visibility};

impl Access for UserAccess {
    fn reads(&self, object: &Object) -> bool {
        let open = match object.visibility {
            Visibility::Everybody => true,
            Visibility::Setup => self.view_setup,
            Visibility::Granted => self.may(Right::Read, &governing(object)),
        };
        object.served.by(self.api) && !self.is_withheld(&object.name) && open
    }

    fn creates(&self, object: &Object) -> bool {
        self.reads(object) && self.may(Right::Create, &governing(object))
    }

    fn edits(&self, object: &Object) -> bool {
        self.reads(object) && self.may(Right::Edit, &governing(object))
    }

    fn deletes(&self, object: &Object) -> bool {
        self.reads(object) && self.may(Right::Delete, &governing(object))
    }

    fn reads_field(&self, object: &Object, field: &Field) -> bool {
        !field.is_permissionable() || self.sees(&object.name, &field.name)
    }

    fn edits_field(&self, object: &Object, field: &Field) -> bool {
        self.reads_field(object, field)
    }
}

/// The object whose permissions decide: rows of histories, shares, members, items and votes follow what they are about.
fn governing(object: &Object) -> Cow<'_, str> {
    let name = object.name.as_str();
    match name {
        "CampaignMember" => return Cow::Borrowed("Campaign"),
        "LoginHistory" => return Cow::Borrowed(name),
        "OpportunityContactRole" | "OpportunityLineItem" => return Cow::Borrowed("Opportunity"),
        "OrderItem" => return Cow::Borrowed("Order"),
        "PricebookEntry" => return Cow::Borrowed("Pricebook2"),
        "Vote" => return Cow::Borrowed("Idea"),
        _ => {}
    }
    let followed = ["FieldHistory", "History", "Share"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
    match followed.map(|stem| (stem, stem.strip_suffix("__"))) {
        Some((_, Some(custom))) => Cow::Owned(format!("{custom}__c")),
        Some((standard, None)) => Cow::Borrowed(standard),
        None => Cow::Borrowed(name),
    }
}
