// What the documentation's examples need and do not show: a store with a table, and a server that answers from it.

/// A store with version 1 on `main`, whose answer to the history 3, 0 is 25, and then 10.
fn store(dir: &std::path::Path) -> Result<segue::store::Store, Box<dyn std::error::Error>> {
    use segue::ids::ClusterId;
    use segue::table::{Candidate, Lineage, Score, Source, TableBuilder};

    let config = segue::store::Config { path: dir.join("store").display().to_string(), ..Default::default() };
    let store = segue::store::Store::open(&config)?;
    let clusters = [0, 3, 10, 25].map(|id| (ClusterId(id), format!("interest {id}")));
    let taxonomy = segue::taxonomy::Taxonomy::new(clusters)?;
    let candidate = |id, part| Candidate { cluster: ClusterId(id), score: Score::share(part, 4), source: Source::Llm };
    let mut draft = store.draft()?;
    let shape = segue::table::Shape { k: 2, width: 8 };
    let mut builder = TableBuilder::new(draft.table(), &taxonomy, shape, Default::default())?;
    builder.push(&[ClusterId(3), ClusterId(0)], &[candidate(25, 3), candidate(10, 1)])?;
    builder.finish(&Lineage::default(), &[])?;
    let (creator, reason) = ("ada".into(), "an example".into());
    let provenance = segue::store::Provenance { creator, reason, ..Default::default() };
    let version = store.add(draft, provenance)?.version;
    let note = segue::store::Note { who: "ada".into(), why: "an example".into() };
    store.approve(version, &note)?;
    store.publish("main", version, &note, segue::store::TaxonomyChange::Refused)?;
    Ok(store)
}

/// Serves a store until the runtime ends; returns where gRPC is answered.
#[allow(dead_code)]
async fn serve(store: segue::store::Store) -> Result<std::net::SocketAddr, Box<dyn std::error::Error>> {
    use segue::experiment::{Declared, Experiments, Exposures};
    use segue::serve::{Backend, Config, LiveExperiments, Metrics, bind, run};

    let free = "127.0.0.1:0".parse()?;
    let config = Config { http_addr: free, grpc_addr: free, admin_addr: free, ..Config::default() };
    let (watcher, live) = segue::store::live::Watcher::start(store.clone(), config.live())?;
    let listeners = bind(&config).await?;
    let addr = listeners.grpc_addr();
    let (ready, reloader) = (watcher.ready(), watcher.reloader());
    let (metrics, (exposures, writer)) = (Metrics::default(), Exposures::new(&Default::default())?);
    let declared = Declared::new(Experiments::default(), store.clone());
    let experiments = LiveExperiments::start(declared, exposures, metrics.clone());
    let backend = Backend { live, ready, reloader, store, refresh: None, experiments, metrics };
    watcher.ready().wait_for(|ready| *ready).await?;
    tokio::spawn(async move {
        let _kept = (watcher, writer);
        run(listeners, backend, std::future::pending()).await.map(drop)
    });
    Ok(addr)
}
