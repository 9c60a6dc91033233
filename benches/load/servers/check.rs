//! Before anything is measured, a real client asks: what is then asked by hand has been answered rightly.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use segue::proto::lookup_service_client::LookupServiceClient;
use segue::proto::{LookupRequest, LookupResponse};
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint};

use crate::Outcome;
use crate::generator::Target;
use crate::world::{BATCH, Pair, World};

/// A large table takes so long to be mapped, at most.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Waits until the server answers and compares: with the table's answers, or with the one answer of a server that knows
/// no other.
pub(super) fn check(target: &Target, world: World, constant: bool) -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut client = LookupServiceClient::new(connect(target)?);
        let pairs: Vec<Pair> = world.random_pairs().take(BATCH).collect();
        let answer = |&pair| world.answer(if constant { world.any_pair() } else { pair });
        let expected: Vec<LookupResponse> = pairs.iter().map(answer).collect();
        ready(&mut client, world.question(pairs[0])).await?;
        for (&pair, expected) in pairs.iter().zip(&expected) {
            same(&client.lookup(world.question(pair)).await?.into_inner(), expected)?;
        }
        same(&client.batch_lookup(world.questions(&pairs)).await?.into_inner().results, &expected)?;
        let questions: Vec<_> = pairs.iter().map(|&pair| world.question(pair)).collect();
        let answers = client.stream_lookup(tokio_stream::iter(questions)).await?.into_inner();
        same(&answers.collect::<Result<Vec<_>, _>>().await?, &expected)
    })
}

/// Units are dealt to both arms, and all of them are answered as the table says.
pub(super) fn check_dealt(target: &Target, world: World) -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut client = LookupServiceClient::new(connect(target)?);
        let mut arms = BTreeSet::new();
        for (pair, at) in world.random_pairs().zip(0..BATCH) {
            let answer = client.lookup(world.question_of(pair, at)).await?.into_inner();
            same(&answer, &LookupResponse { arm: answer.arm.clone(), ..world.answer_to_unit(pair) })?;
            arms.insert(answer.arm);
        }
        same(&arms.into_iter().collect::<Vec<_>>(), &vec!["a".to_owned(), "b".to_owned()])
    })
}

fn connect(target: &Target) -> Outcome<Channel> {
    Ok(match target {
        Target::Tcp(addr) => Endpoint::from_shared(format!("http://{addr}"))?.connect_lazy(),
        Target::Unix(path) => Endpoint::from_shared(format!("unix:{}", path.display()))?.connect_lazy(),
    })
}

async fn ready(client: &mut LookupServiceClient<Channel>, question: LookupRequest) -> Outcome<()> {
    let began = Instant::now();
    while let Err(status) = client.lookup(question.clone()).await {
        if began.elapsed() > READY_WITHIN {
            return Err(status.into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(got: &T, expected: &T) -> Outcome<()> {
    if got == expected { Ok(()) } else { Err(format!("the answer is {got:?} instead of {expected:?}").into()) }
}
