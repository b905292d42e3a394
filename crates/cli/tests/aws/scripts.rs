//! Each script of this directory against a server of its own.

use crate::client::{ANY_KEY, run};
use crate::server::Server;

const KEYS: &str = include_str!("keys.yaml");
const WRITER: (&str, &str) = ("writer", "the writer's secret/+=");

#[test]
fn every_operation_by_boto3() {
    run(
        &Server::serve(""),
        &["every_operation.py", "boto3"],
        ANY_KEY,
    );
}

#[test]
fn every_operation_by_the_command_line_with_options() {
    run(
        &Server::serve(""),
        &["every_operation.py", "options"],
        ANY_KEY,
    );
}

#[test]
fn every_operation_by_the_command_line_with_its_own_skeletons() {
    run(
        &Server::serve(""),
        &["every_operation.py", "skeleton"],
        ANY_KEY,
    );
}

#[test]
fn every_operation_by_keys_that_may_and_may_not() {
    run(&Server::serve(KEYS), &["keys.py"], WRITER);
}

#[test]
fn refusals_as_clients_show_them() {
    run(&Server::serve(""), &["errors.py"], ANY_KEY);
}

#[test]
fn lists_page_by_page() {
    let server = Server::serve("quotas: { virtualGatewaysPerMesh: 7 }");
    run(&server, &["pages.py"], ANY_KEY);
}

#[test]
fn ways_to_write_parameters() {
    run(&Server::serve(""), &["syntax.py"], ANY_KEY);
}

#[test]
fn the_workshop_with_keys() {
    run(&Server::serve(KEYS), &["shell.py", "workshop.sh"], WRITER);
}

#[test]
fn the_workshop_without_keys() {
    run(&Server::serve(""), &["shell.py", "workshop.sh"], ANY_KEY);
}
