//! What takes more than one message to show: the clause, what is done, and the test that shows it.

pub(super) const RULES: [(&str, &str, &str); 57] = [
    (
        "RFC 9112 9.3",
        "connections are kept on both sides",
        "connections_are_kept_on_both_sides",
    ),
    (
        "RFC 9112 9.3.2",
        "pipelined requests are answered in order",
        "pipelined_requests_are_answered_in_order",
    ),
    (
        "RFC 9110 2.5",
        "clients of HTTP/1.0 get no chunks, no interim responses, and the end of the connection",
        "http_1_0_clients_get_what_they_understand",
    ),
    (
        "RFC 9112 6.3",
        "a response without a length ends with its connection",
        "http_1_0_servers_are_understood",
    ),
    (
        "RFC 9110 9.3.2",
        "a response to HEAD has no body",
        "responses_without_a_body_end_with_their_head",
    ),
    (
        "RFC 9110 10.1.1",
        "100 (Continue) passes from the service",
        "interim_responses_are_relayed",
    ),
    (
        "RFC 9110 7.5",
        "a response may come before its request is whole",
        "a_response_may_come_before_the_request_is_whole",
    ),
    (
        "RFC 9110 7.8",
        "WebSocket becomes a tunnel",
        "a_websocket_becomes_a_tunnel",
    ),
    (
        "RFC 9110 9.3.6",
        "CONNECT becomes a tunnel when it is answered 2xx, whatever that says of a body; what came early goes on then",
        "a_connect_becomes_a_tunnel",
    ),
    (
        "RFC 9110 9.3.6",
        "CONNECT leads to endpoints of its route, and never where its authority says",
        "a_connect_leads_nowhere_but_to_endpoints",
    ),
    (
        "RFC 9110 9.3.6",
        "a declined CONNECT ends its connection: what follows it is no request",
        "what_follows_a_declined_connect_is_no_request",
    ),
    (
        "RFC 9112 3.2.3",
        "CONNECT has no path and is routed as `/`; its target decides, not Host",
        "a_connect_is_routed_as_what_asks_for_the_root",
    ),
    (
        "RFC 9110 9.2.2",
        "a connection that turned out to be closed is replaced, for what may be sent again",
        "a_stale_connection_is_replaced",
    ),
    (
        "RFC 9112 8",
        "a body cut off is not passed on as whole",
        "a_body_that_breaks_later_takes_its_connections_with_it",
    ),
    (
        "RFC 9112 9.2",
        "no response answers another request",
        "a_response_never_answers_another_request",
    ),
    (
        "RFC 9112 11.2",
        "nginx reads the same requests as the proxy, whatever legal or refused message comes before",
        "nginx_and_the_proxy_never_disagree",
    ),
    (
        "RFC 9112 11.2",
        "so does Python's h11",
        "python_and_the_proxy_never_disagree",
    ),
    (
        "RFC 9110 17.5",
        "heads are bounded (414, 431)",
        "what_cannot_be_served_is_refused_in_words",
    ),
    (
        "RFC 9113 3.3",
        "HTTP/2 begins from prior knowledge or by ALPN",
        "http2_clients_reach_http1_services",
    ),
    (
        "RFC 9113 5.1.2",
        "streams beyond the limit are refused",
        "more_streams_than_allowed_are_refused",
    ),
    (
        "RFC 9113 5.2",
        "a side that does not read stops the other",
        "a_client_that_takes_nothing_is_given_up",
    ),
    ("RFC 9113 6.7", "pings are answered", "pings_are_answered"),
    (
        "RFC 9113 6.8",
        "GOAWAY lets streams go on",
        "http2_connections_get_goaway_and_their_streams_go_on",
    ),
    (
        "RFC 9113 8.1",
        "trailers pass between versions",
        "trailers_pass_between_versions",
    ),
    (
        "RFC 9113 8.2.2",
        "fields of a hop end there in HTTP/2 too",
        "heads_pass_without_what_belongs_to_a_hop",
    ),
    (
        "RFC 9113 8.2.3",
        "cookies in pieces become one line",
        "heads_pass_without_what_belongs_to_a_hop",
    ),
    (
        "RFC 9113 8.7",
        "a request that a service refused to begin is tried again",
        "a_refused_stream_is_tried_again_where_the_policy_says_so",
    ),
    (
        "RFC 9113 6.8",
        "a request that a service leaves without beginning it goes to another connection",
        "a_request_before_goaway_goes_to_another_connection",
    ),
    (
        "RFC 9113 10.3",
        "no service sees a second request in what HTTP/2 carried as one",
        "no_service_sees_a_second_request",
    ),
    (
        "RFC 9113 10.5",
        "streams reset as soon as they were opened end the connection",
        "streams_reset_as_soon_as_they_are_opened_end_the_connection",
    ),
    (
        "RFC 9113 10.5",
        "so do streams given up one by one",
        "streams_that_are_given_up_one_by_one_end_the_connection_too",
    ),
    (
        "RFC 9113 10.5.1",
        "a head that never ends ends the connection",
        "a_head_without_end_ends_the_connection",
    ),
    (
        "RFC 9113 10.5.1",
        "a small head that unpacks to a large one is refused",
        "a_small_head_that_unpacks_to_a_large_one_is_refused",
    ),
    (
        "RFC 9113 10.5",
        "floods of small frames (SETTINGS, PING, WINDOW_UPDATE, empty DATA, RST_STREAM) fill no memory, and each costs no more than the first",
        "floods_of_small_frames_fill_no_memory_and_cost_no_more_each",
    ),
    (
        "RFC 9113 10.5",
        "small pieces of a body that wait for a slow service end no connection",
        "messages_that_wait_for_a_slow_service_end_no_connection",
    ),
    (
        "RFC 9113 10.5",
        "a flood of tiny ones does",
        "a_flood_of_tiny_pieces_that_nobody_reads_ends_its_connection",
    ),
    (
        "RFC 9110 6.5.1",
        "trailers from HTTP/1.1 to HTTP/1.1",
        "from_http1_to_http1",
    ),
    (
        "RFC 9110 6.5.1",
        "trailers from HTTP/1.1 to HTTP/2",
        "from_http1_to_http2",
    ),
    (
        "RFC 9110 6.5.1",
        "trailers from HTTP/2 to HTTP/1.1",
        "from_http2_to_http1",
    ),
    (
        "RFC 9110 6.5.1",
        "trailers from HTTP/2 to HTTP/2",
        "from_http2_to_http2",
    ),
    (
        "RFC 8441 4",
        "a WebSocket that begins in HTTP/2",
        "a_client_may_speak_first_on_a_websocket",
    ),
    (
        "RFC 8441 5",
        "a WebSocket in HTTP/2 has no length",
        "a_websocket_has_no_length",
    ),
    (
        "RFC 8441 5",
        "a tunnel that falls silent is closed, whichever versions its sides speak",
        "a_websocket_that_falls_silent_is_closed_whatever_its_sides_speak",
    ),
    (
        "RFC 9112 9.5",
        "a client that leaves ends its request",
        "a_client_that_leaves_ends_its_request",
    ),
    (
        "RFC 9112 9.5",
        "a stream that stops moving is cut",
        "a_stream_that_stops_moving_is_cut",
    ),
    (
        "RFC 9110 15.5.9",
        "a head must come in time (408)",
        "a_head_must_come_in_time_and_an_idle_connection_does_not_stay_for_ever",
    ),
    (
        "RFC 9110 15.5.9",
        "a client that stops in the middle gets 408",
        "a_client_that_stops_in_the_middle_is_nobodys_failure",
    ),
    (
        "RFC 9110 9.3.2",
        "HEAD in HTTP/2",
        "a_response_to_head_has_no_body",
    ),
    (
        "RFC 9110 15.2",
        "interim responses in HTTP/2",
        "interim_responses_pass",
    ),
    (
        "RFC 9112 2.2",
        "a head may come byte by byte",
        "a_head_may_trickle_in",
    ),
    (
        "RFC 9113 8.1",
        "a request that fails before its response is told as HTTP/2 tells it",
        "a_failed_request_is_told_as_http2_tells_it",
    ),
    (
        "RFC 9113 8.5",
        "CONNECT in HTTP/2 to a service that speaks HTTP/1.1",
        "a_connect_of_http2_reaches_a_service_of_http1",
    ),
    (
        "RFC 9113 8.5",
        "CONNECT in HTTP/2 to a service that speaks HTTP/2",
        "a_connect_of_http2_reaches_a_service_of_http2",
    ),
    (
        "RFC 9113 8.5",
        "CONNECT of HTTP/1.1 to a service that speaks HTTP/2",
        "a_connect_of_http1_reaches_a_service_of_http2",
    ),
    (
        "RFC 8441 5",
        "a WebSocket of HTTP/1.1 to a service that speaks HTTP/2",
        "a_websocket_of_http1_reaches_a_service_of_http2",
    ),
    (
        "RFC 8441 4",
        "a WebSocket of HTTP/2 to a service that speaks HTTP/2",
        "a_websocket_of_http2_reaches_a_service_of_http2",
    ),
    (
        "RFC 8441 3",
        "no service is asked for a WebSocket that has not said that it takes them (501)",
        "a_service_that_takes_no_websockets_is_not_asked_for_one",
    ),
];
