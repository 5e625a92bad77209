// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Many referrals in one stream: each has the answer that it would have alone, whatever the others are.

use futures_util::{Stream, StreamExt as _};
use prost_reflect::ReflectMessage as _;
use tokio::sync::mpsc;
use tokio_stream::iter;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::*;

const MANY: &str = "weiche.exchange.v1.ReferralService/SubmitReferrals";
const DRK_MANY: &str = "drk.v1.TaskService/CreateTasks";
const DRK_ONE: &str = "drk.v1.TaskService/CreateTask";

/// The request of a stream: the same bytes as its first field.
fn streamed(single: &[u8]) -> Bytes {
    let mut out = vec![0x0a];
    prost::encoding::encode_varint(single.len() as u64, &mut out);
    out.extend_from_slice(single);
    out.into()
}

/// Opens a stream for what is said.
async fn open(site: &Site, institution: &str, path: &str, said: impl Stream<Item = Bytes> + Send + 'static) -> Streaming<Bytes> {
    let mut client = tonic::client::Grpc::new(site.channel(institution));
    client.ready().await.unwrap();
    client.streaming(Request::new(said), format!("/{path}").parse().unwrap(), BytesCodec).await.unwrap().into_inner()
}

/// The answer to one request of a stream: its id, and what a single call would have given.
fn one(path: &str, bytes: &Bytes) -> (String, Result<DynamicMessage, Status>) {
    let message = DynamicMessage::decode(method(path).output(), bytes.clone()).unwrap();
    let field = |number| message.get_field(&message.descriptor().get_field(number).unwrap()).into_owned();
    let id = field(1).as_str().unwrap().to_owned();
    let refused = field(3).as_bytes().unwrap().clone();
    if refused.is_empty() {
        return (id, Ok(field(2).as_message().unwrap().clone()));
    }
    let status = tonic_types::pb::Status::decode(refused.clone()).unwrap();
    (id, Err(Status::with_details(Code::from(status.code), status.message, refused)))
}

/// What a refusal says, but for the names of messages and fields: in a stream a field lies one message deeper.
fn verdict(status: &Status) -> (Code, String, Vec<String>) {
    let fields = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    (status.code(), reason(status), fields.into_iter().map(|one| one.description).collect())
}

/// Good and bad ones, those that come again, and what is no message of the method; with the id that can be read.
fn mixture(path: &str, good: impl Fn(&str) -> Value, spoilt: Vec<(&str, Value)>) -> Vec<(String, Vec<u8>)> {
    let [first, second, third] = [fresh(), fresh(), fresh()];
    let mut cases: Vec<_> = [&first, &second, &first].map(|id| (id.clone(), request(path, good(id)))).into();
    for (pointer, value) in spoilt {
        // The same id with other content is refused, and so is what is wrong in itself; neither takes the id.
        cases.push((first.clone(), request(path, changed(good(&first), &[(pointer, value.clone())]))));
        cases.push((third.clone(), request(path, changed(good(&third), &[(pointer, value)]))));
    }
    cases.push((String::new(), b"\xff\xff\xff\xff secret".to_vec()));
    cases.push((third.clone(), request(path, good(&third))));
    cases
}

async fn as_if_alone(institution: &str, many: &str, single: &str, cases: Vec<(String, Vec<u8>)>) {
    // One gateway for the stream and one for single calls: both see the same from the beginning.
    let (site, alone) = (Site::new().await, Site::new().await);
    let (say, heard) = mpsc::channel(1);
    let mut answers = open(&site, institution, many, ReceiverStream::new(heard)).await;
    let mut accepted = 0;
    for (id, case) in cases {
        say.send(streamed(&case)).await.unwrap();
        let (answered, result) = one(many, &answers.message().await.unwrap().expect("one answer each"));
        match (result, alone.call(institution, single, case).await) {
            (Ok(taken), Ok(lone)) => {
                let lone = DynamicMessage::decode(method(single).output(), lone).unwrap();
                let same = |message: &DynamicMessage| message.fields().map(|(field, _)| field.number()).collect::<Vec<_>>();
                assert_eq!((same(&taken), answered), (same(&lone), id));
                accepted += 1;
            }
            (Err(refused), Err(lone)) => {
                assert_eq!(verdict(&refused), verdict(&lone));
                assert!(answered == id || answered.is_empty(), "{answered} is the id of another");
                assert!(!said(&refused).contains("secret"));
            }
            (streamed, lone) => panic!("{many}: {streamed:?}, alone {lone:?}"),
        }
    }
    assert_eq!(accepted, 4, "two good ones, one of them once more, and the one whose id was refused before");
    drop(say);
    assert!(answers.message().await.unwrap().is_none(), "and then it ends in good order");
    assert_eq!(site.rows().await["referral"], 3);
    site.end().await;
    alone.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_the_answer_that_it_would_have_alone_and_a_refused_one_ends_no_other() {
    let good = |id: &str| json!({"requestId": id, "referral": statutory()});
    let spoilt = vec![
        ("/referral/subject/name/family", json!("Иванов")),
        ("/referral/sender/institution", json!("awo-bremen")),
        ("/referral/recipient/institution", json!("nobody-here")),
        ("/referral/necessity", json!("")),
        ("/referral/subject/birthDate", json!({"year": 1991, "month": 2, "day": 30})),
    ];
    as_if_alone("jobcenter-bremen", MANY, SUBMIT, mixture(SUBMIT, good, spoilt)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_ends_the_stream_after_the_answers_to_what_came_before() {
    let site = Site::new().await;
    let ids = [fresh(), fresh(), fresh()];
    let mut said: Vec<_> = ids.iter().map(|id| streamed(&request(SUBMIT, json!({"requestId": id, "referral": statutory()})))).collect();
    said.insert(2, vec![b'x'; (1 << 20) + 1].into());
    let mut answers = open(&site, "jobcenter-bremen", MANY, iter(said)).await;
    for id in &ids[..2] {
        let (answered, result) = one(MANY, &answers.message().await.unwrap().unwrap());
        assert_eq!((&answered, result.is_ok()), (id, true));
    }
    let end = answers.message().await.unwrap_err();
    assert_eq!(judge(&end, Code::InvalidArgument, "MESSAGE_TOO_LARGE", "", "xxx"), Ok(()));
    assert_eq!(site.rows().await["referral"], 2, "nothing after it is looked at");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_in_the_middle_sends_the_same_again_and_nothing_is_doubled() {
    let site = Site::new().await;
    let cases: Vec<_> = (0..40).map(|_| request(SUBMIT, json!({"requestId": fresh(), "referral": statutory()}))).collect();
    let all = || iter(cases.iter().map(|case| streamed(case)).collect::<Vec<_>>());
    let mut answers = open(&site, "jobcenter-bremen", MANY, all()).await;
    answers.message().await.unwrap().unwrap();
    drop(answers);
    let mut again = open(&site, "jobcenter-bremen", MANY, all()).await;
    let mut accepted = 0;
    while let Some(answer) = again.next().await {
        assert!(one(MANY, &answer.unwrap()).1.is_ok());
        accepted += 1;
    }
    assert_eq!((accepted, site.rows().await["referral"]), (40, 40));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_dialect_fields_are_named_in_its_own_words() {
    let site = Site::new().await;
    let task = serde_json::from_str(include_str!("../../../proto/dialects/drk/examples/task.json")).unwrap();
    let task = changed(task, &[("/for/birthDate", json!("1991-02-30"))]);
    let wrong = request(DRK_ONE, json!({"requestId": fresh(), "task": task}));
    let mut answers = open(&site, "drk-bremen", DRK_MANY, iter([streamed(&wrong)])).await;
    let (_, refused) = one(DRK_MANY, &answers.message().await.unwrap().unwrap());
    let alone = site.call("drk-bremen", DRK_ONE, wrong).await.unwrap_err();
    let refused = refused.unwrap_err();
    assert_eq!(verdict(&refused), verdict(&alone));
    let field = |status: &Status| status.get_details_bad_request().map(|bad| bad.field_violations[0].field.clone());
    assert_eq!((field(&alone).as_deref(), field(&refused).as_deref()), (Some("task.for.birthDate"), Some("entry.task.for.birthDate")));
    site.end().await;
}
