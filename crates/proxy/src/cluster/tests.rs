use super::*;
use crate::clock;
use crate::discovery::Endpoints;
use crate::health::{Health, HealthStatus};
use std::collections::HashSet;

/// One error ejects, and all may be ejected.
fn watched(listed: &[Arc<Shared>], generation: &Generation) -> Watched {
    let endpoints = Arc::new(Endpoints::from_pointee(listed.to_vec()));
    let detection = view::OutlierDetection {
        consecutive_server_errors: 1,
        interval: std::time::Duration::from_secs(1),
        base_ejection: std::time::Duration::from_secs(1),
        max_ejection_percent: 100,
    };
    let (listed, news) = (Arc::clone(&endpoints), Arc::clone(generation));
    let outliers = Outliers::new(detection, listed, news, None);
    Watched {
        endpoints,
        outliers: Some(Arc::new(outliers)),
        balancing: Arc::default(),
        tls: None,
    }
}

fn cluster(statuses: &[HealthStatus]) -> (LocalCluster, Vec<Arc<Shared>>, Generation) {
    let listed: Vec<_> = statuses
        .iter()
        .enumerate()
        .map(|(port, &status)| {
            let address = ([127, 0, 0, 1], port as u16).into();
            let named = view::Endpoint {
                id: port.to_string(),
                address,
                zone: None,
            };
            Arc::new(Shared::new(named, Health::new(status)))
        })
        .collect();
    let generation = Generation::default();
    (
        LocalCluster::new(watched(&listed, &generation), Arc::clone(&generation), None),
        listed,
        generation,
    )
}

fn picked(cluster: &LocalCluster, avoid: Option<&Rc<Endpoint>>) -> HashSet<String> {
    let mut rng = Rng::with_seed(3);
    (0..200)
        .filter_map(|_| cluster.pick(&mut rng, avoid.map_or(&[], std::slice::from_ref)))
        .map(|endpoint| endpoint.shared.id.clone())
        .collect()
}

fn ids(ids: &[&str]) -> HashSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[test]
fn unhealthy_endpoints_are_left_out_unless_all_are() {
    use HealthStatus::*;
    assert_eq!(picked(&cluster(&[]).0, None), ids(&[]));
    assert_eq!(
        picked(&cluster(&[Healthy, Unhealthy, Unknown, Healthy]).0, None),
        ids(&["0", "3"])
    );
    assert_eq!(
        picked(&cluster(&[Unhealthy, Unhealthy]).0, None),
        ids(&["0", "1"])
    );

    let (cluster, listed, generation) = cluster(&[Healthy, Healthy]);
    listed[0].set_health(Health::new(Unhealthy));
    generation.fetch_add(1, Ordering::Release);
    assert_eq!(picked(&cluster, None), ids(&["1"]));
}

#[test]
fn ejected_endpoints_are_left_out_while_half_of_all_are_in_use() {
    use HealthStatus::*;
    let (cluster, listed, _) = cluster(&[Healthy, Unhealthy, Healthy, Healthy]);
    let eject = |index: usize| {
        let outliers = cluster.outliers().unwrap();
        outliers.saw_error(&listed[index], clock::now());
    };
    eject(0);
    assert_eq!(picked(&cluster, None), ids(&["2", "3"]));
    eject(2);
    assert_eq!(
        picked(&cluster, None),
        ids(&["0", "2", "3"]),
        "one of four is too few, and the unhealthy one is no help"
    );
}

#[test]
fn the_less_busy_of_two_is_taken_and_the_one_that_failed_is_not() {
    let (cluster, ..) = cluster(&[HealthStatus::Unchecked; 2]);
    let first = Rc::clone(&cluster.all.borrow()[0]);
    assert_eq!(picked(&cluster, Some(&first)), ids(&["1"]));
    let busy = first.begin();
    assert_eq!(picked(&cluster, None), ids(&["1"]));
    drop(busy);
    assert_eq!(picked(&cluster, None), ids(&["0", "1"]));
}

#[test]
fn all_that_failed_are_left_out_while_another_is_there() {
    let (cluster, ..) = cluster(&[HealthStatus::Unchecked; 3]);
    let all = cluster.all.borrow().clone();
    let _busy = all[2].begin();
    let mut rng = Rng::with_seed(3);
    for _ in 0..100 {
        let picked = cluster.pick(&mut rng, &all[..2]).unwrap();
        assert!(Rc::ptr_eq(&picked, &all[2]));
    }
    assert!(
        cluster.pick(&mut rng, &all).is_some(),
        "better one that failed than none"
    );
}

#[test]
fn a_removed_endpoint_is_retired_and_a_kept_one_goes_on() {
    let (before, listed, generation) = cluster(&[HealthStatus::Unchecked; 2]);
    let kept = watched(&listed[1..], &generation);
    let after = LocalCluster::new(kept, generation, Some(&before));
    assert!(Rc::ptr_eq(&before.all.borrow()[1], &after.all.borrow()[0]));
    assert_eq!(picked(&after, None), ids(&["1"]));
    assert_eq!(
        picked(&before, None),
        ids(&["0", "1"]),
        "requests of the old view still find theirs"
    );
}

/// How often each endpoint is picked of 4000, by its port; every request has ended before the next.
fn shares(cluster: &LocalCluster) -> Vec<f64> {
    let mut rng = Rng::with_seed(5);
    let mut picked = vec![0; cluster.watched.endpoints.load().len()];
    for _ in 0..4000 {
        let endpoint = cluster.pick(&mut rng, &[]).unwrap();
        picked[usize::from(endpoint.shared.address.port())] += 1;
    }
    picked
        .iter()
        .map(|&count| f64::from(count) / 4000.0)
        .collect()
}

fn balanced(listed: &[Arc<Shared>], balancing: Balancing, generation: &Generation) -> LocalCluster {
    let watched = Watched {
        balancing: Arc::new(balancing),
        ..watched(listed, generation)
    };
    LocalCluster::new(watched, Arc::clone(generation), None)
}

fn endpoint(port: u16, zone: Option<&str>) -> Arc<Shared> {
    let named = view::Endpoint {
        id: port.to_string(),
        address: ([127, 0, 0, 1], port).into(),
        zone: zone.map(str::to_owned),
    };
    Arc::new(Shared::new(named, Health::new(HealthStatus::Healthy)))
}

#[tokio::test(start_paused = true)]
async fn a_new_endpoint_warms_up_and_is_never_left_out() {
    let window = std::time::Duration::from_secs(60);
    let slow = Balancing {
        slow_start: Some(window),
        ..Balancing::default()
    };
    let generation = Generation::default();
    let mut listed = vec![endpoint(0, None)];
    let cluster = balanced(&listed, slow, &generation);
    assert_eq!(shares(&cluster), [1.0], "cold, but alone");
    tokio::time::advance(window).await;
    listed.push(endpoint(1, None));
    cluster.watched.endpoints.store(Arc::new(listed.clone()));
    generation.fetch_add(1, Ordering::Release);

    let mut last = 0.0;
    for (seconds, expected) in [
        (0, 1.0 / 11.0),
        (15, 0.2),
        (15, 1.0 / 3.0),
        (30, 0.5),
        (9, 0.5),
    ] {
        tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
        let share = shares(&cluster)[1];
        assert!((share - expected).abs() < 0.03, "{share} for {expected}");
        assert!(share > last - 0.03, "it only ever grows");
        last = share;
    }

    listed[1].set_health(Health::new(HealthStatus::Unhealthy));
    listed[1].set_health(Health::new(HealthStatus::Healthy));
    generation.fetch_add(1, Ordering::Release);
    assert!(
        shares(&cluster)[1] < 0.15,
        "whoever comes back is new again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_endpoint_that_is_busy_gets_less() {
    let slow = Balancing {
        slow_start: Some(std::time::Duration::from_secs(60)),
        ..Balancing::default()
    };
    let listed = [endpoint(0, None), endpoint(1, None)];
    let cluster = balanced(&listed, slow, &Generation::default());
    let even = shares(&cluster)[1];
    assert!((even - 0.5).abs() < 0.03, "as cold as each other");
    let busy = Rc::clone(&cluster.all.borrow()[1]);
    let _under_way: Vec<_> = (0..3).map(|_| busy.begin()).collect();
    assert!((shares(&cluster)[1] - 0.2).abs() < 0.03);
}

#[test]
fn the_own_zone_comes_first_while_it_has_enough_endpoints() {
    let of_zones = |zones: &[Option<&str>]| -> Vec<Arc<Shared>> {
        (0..)
            .zip(zones)
            .map(|(port, zone)| endpoint(port, *zone))
            .collect()
    };
    let zonal = |zone: &str| Balancing {
        zone: Some(zone.to_owned()),
        ..Balancing::default()
    };
    let generation = Generation::default();
    let own_share = |listed: &[Arc<Shared>], zone: &str| -> f64 {
        let cluster = balanced(listed, zonal(zone), &generation);
        let shares = shares(&cluster).into_iter().zip(listed);
        shares
            .filter(|(_, e)| e.zone.as_deref() == Some(zone))
            .map(|(share, _)| share)
            .sum()
    };
    let (a, b) = (Some("a"), Some("b"));
    let even = of_zones(&[a, a, a, b, b, b]);
    let all = |share: f64| (share - 1.0).abs() < 1e-9;
    assert!(all(own_share(&even, "a")));
    even[0].set_health(Health::new(HealthStatus::Unhealthy));
    assert!(
        (own_share(&even, "a") - 0.4).abs() < 0.03,
        "five are too few for zones"
    );
    let uneven = of_zones(&[a, a, b, b, b, b, b, b]);
    assert!(
        (own_share(&uneven, "a") - 0.5).abs() < 0.03,
        "a quarter for half of the callers"
    );
    assert!(all(own_share(&uneven, "b")));
    let unknown = of_zones(&[a, a, a, a, b, None]);
    assert!((own_share(&unknown, "a") - 4.0 / 6.0).abs() < 0.03);
}

#[test]
fn a_failed_endpoint_that_is_alone_in_its_zone_is_replaced_by_one_elsewhere() {
    let listed: Vec<_> = (0..6)
        .map(|port| endpoint(port, Some(if port == 0 { "a" } else { "b" })))
        .collect();
    let zonal = Balancing {
        zone: Some("a".to_owned()),
        ..Balancing::default()
    };
    let cluster = balanced(&listed, zonal, &Generation::default());
    assert!(picked(&cluster, None).contains("0"));
    let failed = Rc::clone(&cluster.all.borrow()[0]);
    assert!(!picked(&cluster, Some(&failed)).contains("0"));
}

#[test]
fn the_panic_threshold_says_how_many_must_be_left() {
    for (threshold, in_use) in [(0, 1), (25, 1), (26, 4), (100, 4)] {
        let generation = Generation::default();
        let listed: Vec<_> = (0..4).map(|port| endpoint(port, None)).collect();
        let balancing = Balancing {
            panic_threshold: threshold,
            ..Balancing::default()
        };
        let cluster = balanced(&listed, balancing, &generation);
        for shared in &listed[1..] {
            cluster.outliers().unwrap().saw_error(shared, clock::now());
        }
        assert_eq!(picked(&cluster, None).len(), in_use, "{threshold} %");
    }
}
