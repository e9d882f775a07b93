//! What is said of a connection's rows that another org's or another installation's are.

use sync::table::StreamKey;

/// Why a table does not take the rows of a connection under whose name others write.
pub(super) fn other_writer(stream: &StreamKey, other_org: &str, other_installation: &str) -> String {
    let StreamKey { connection, org, installation, .. } = stream;
    if is_other(other_org, org) {
        return format!(
            "its rows of connection {connection:?} are of org {other_org}, and this connection is of org {org}: another \
             installation writes them. Give the connection another name, or write to another folder. If nobody writes them \
             any more, move the table's folder away"
        );
    }
    format!(
        "its rows of connection {connection:?} are written by another installation of Orgtide ({other_installation}; this \
         one is {installation}), and each would undo what the other does. Give the connection another name, or write to \
         another folder. If the other one is gone, or its control store is lost, move the table's folder away: everything \
         is imported anew then"
    )
}

/// Why the rows of a connection are not removed by an installation that has not written them.
pub(super) fn not_ours(stream: &StreamKey, other_org: &str, other_installation: &str) -> String {
    let StreamKey { connection, org, installation, .. } = stream;
    let whose = match is_other(other_org, org) {
        true => format!(
            "of org {other_org}, and this connection is of org {org}: another installation of Orgtide writes them"
        ),
        false => {
            format!("written by another installation of Orgtide ({other_installation}; this one is {installation})")
        }
    };
    format!(
        "those of connection {connection:?} are {whose}. Remove them there; to end the connection here, keep the data. If \
         the other installation is gone, remove the table's folder yourself"
    )
}

fn is_other(theirs: &str, ours: &str) -> bool {
    !theirs.is_empty() && theirs != ours
}
