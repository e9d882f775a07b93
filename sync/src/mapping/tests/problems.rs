use super::*;

#[test]
fn every_problem_of_a_column_is_named_with_its_place_and_a_suggestion() {
    let found = refused(
        r#"
        object = "Contact"
        [[columns]]
        field = "LastNam"
        [[columns]]
        field = "Active__c"
        as = "date"
        [[columns]]
        field = "Rating__c"
        values = { Hott = "1" }
        [[columns]]
        field = "LastName"
        column = "a"
        label = true
        [[columns]]
        field = "Amount__c"
        currency = "EURO"
        [[columns]]
        compute = "FirstName + Lastname2"
        [[columns]]
        value = 1
        column = "one"
        required = true
        [[columns]]
        field = "Score__c"
        default = "much"
        [[columns]]
        field = "Born__c"
        format = "%x"
        as = "text"
        [[columns]]
        field = "FirstName"
        as = "list"
        [[columns]]
        field = "Email"
        other = "reject"
        "#,
    );
    assert_eq!(
        found,
        [
            "columns[0].field: Contact has no field \"LastNam\" that this user can see. Did you mean \"LastName\"?",
            "columns[1].as: Active__c is a boolean, which cannot become a date.",
            "columns[2].values: Rating__c has no value \"Hott\". Did you mean \"Hot\"?",
            "columns[3].label: LastName is no picklist and has no labels.",
            "columns[4].currency: The org has no active currency \"EURO\". Did you mean \"EUR\"?",
            "columns[5].column: A column that is no field needs a name.",
            "columns[5].compute: Contact has no field \"Lastname2\" that this user can see. (at character 13) Did you \
             mean \"LastName\"?",
            "columns[6].required: A constant is written as it is; leave this out.",
            "columns[7].default: \"much\" is no decimal.",
            "columns[8].format: \"%x\" is no part of a format; those are %Y %m %d %H %M %S and %%.",
            "columns[9].as: FirstName is no multi-select picklist, so it is no list.",
            "columns[10].other: There are no values that others could be told from; map some.",
        ]
    );
}

#[test]
fn an_expression_that_is_none_is_refused_with_the_place() {
    let refused = |expression: &str| {
        let toml = format!("object = \"Contact\"\n[[columns]]\ncolumn = \"c\"\ncompute = {expression:?}");
        refused(&toml).join("\n")
    };
    assert!(refused("FirstName +").starts_with("columns[0].compute: The expression cannot be read:"));
    assert_eq!(
        refused("FirstName + Score__c"),
        "columns[0].compute: + does not take a text and a decimal. Write string(…) around what is no text. (at character 11)"
    );
    assert_eq!(
        refused("lowr(FirstName)"),
        "columns[0].compute: There is no function lowr. (at character 5) Did you mean \"lower\"?"
    );
    assert!(refused("[1].map(x, x)").contains("map, filter, all, exists and exists_one are not allowed"));
    assert!(refused("FirstName.matches('a')").contains("no regular expressions"));
    assert!(refused("null").contains("always null"));
}

#[test]
fn a_value_that_an_open_picklist_does_not_have_is_a_warning() {
    let compiled = column("field = \"Mood__c\"\nvalues = { Goood = \"1\" }");
    assert_eq!(
        listed(&compiled.warnings),
        ["columns[0].values: Mood__c has no value \"Goood\". Did you mean \"Good\"?"]
    );
}

#[test]
fn one_currency_or_unknown_rates_are_told() {
    let mut catalogue = org();
    catalogue.set_currencies(None);
    let mapping = parsed("object = \"Contact\"\n[[columns]]\nfield = \"Amount__c\"\ncurrency = \"EUR\"");
    let problems = listed(&mapping.compile(&catalogue).unwrap_err());
    assert!(problems[0].starts_with("columns[0].currency: This org has one currency"), "{problems:?}");
}

#[test]
fn a_print_covers_whatever_shapes_a_column_and_nothing_else() {
    let print = |toml: &str| column(&format!("column = \"c\"\n{toml}")).asked.columns["c"].clone();
    let plain = print("field = \"Rating__c\"");
    for other in [
        "field = \"Mood__c\"",
        "field = \"Rating__c\"\nlabel = true",
        "field = \"Rating__c\"\ntrim = true",
        "field = \"Rating__c\"\ncase = \"lower\"",
        "field = \"Rating__c\"\ndefault = \"x\"",
        "field = \"Rating__c\"\nrequired = true",
        "field = \"Rating__c\"\nvalues = { Hot = \"1\" }",
        "field = \"Rating__c\"\nas = \"json\"",
        "compute = \"Rating__c\"",
        "value = \"Rating__c\"",
    ] {
        assert_ne!(print(other), plain, "{other}");
    }
    let renamed = column("field = \"Rating__c\"\ncolumn = \"d\"");
    assert_eq!(renamed.asked.columns["d"], plain);
    let mut relabelled = org();
    let mut contact = relabelled.object("Contact").unwrap().clone();
    let field = contact.fields.iter_mut().find(|field| field.name == "Rating__c").unwrap();
    field.picklist_values[0].label = Some("Glühend".into());
    relabelled.insert(contact);
    let labelled = parsed("object = \"Contact\"\n[[columns]]\nfield = \"Rating__c\"\ncolumn = \"c\"\nlabel = true");
    let print = |catalogue| labelled.compile(catalogue).unwrap().asked.columns["c"].clone();
    assert_ne!(print(&org()), print(&relabelled));
}

#[test]
fn a_scope_covers_what_decides_which_rows_there_are() {
    let scope =
        |toml: &str| compiled(&format!("object = \"Contact\"\n{toml}\n[[columns]]\nfield = \"Email\"\n")).asked.scope;
    let plain = scope("");
    for other in
        ["filter = \"Email != null\"", "limit = 5", "stream = \"a\"", "key = \"AccountId\"", "key = \"Ext__c\""]
    {
        assert_ne!(scope(other), plain, "{other}");
    }
    for same in ["deletes = \"remove\"", "drift = \"stop\"", "rest = true", "table = \"people\""] {
        assert_eq!(scope(same), plain, "{same}");
    }
    let required = column("field = \"Email\"\nrequired = true");
    assert_ne!(required.asked.scope, plain, "records that were rejected may be rows now");
}
