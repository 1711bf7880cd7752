use keyward_prove::*;
fn brief(v: &Verdict) -> String { match v { Verdict::Refuted(c) => format!("REFUTED {} {} {} {:?}", c.action, c.caller, { let mut v = c.vector.clone(); v.as_object_mut().unwrap().remove("keyPolicy"); v }, c.notes), o => format!("{o:?}") } }
#[test]
fn try_it() {
    let solver = Solver::new("cvc5", DEFAULT_LIMIT);
    solver.check().unwrap();
    let p = Prover::new(&solver, None);
    let allow = |principal: &str, action: &str, cond: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"A","Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"*","Condition":{cond}}}]}}"#);
    let t = std::time::Instant::now();
    let a = allow(r#"{"AWS":"arn:aws:iam::111122223333:role/app"}"#, "kms:*", r#"{"StringEquals":{"kms:EncryptionContext:App":"x"}}"#);
    let b = allow(r#"{"AWS":"arn:aws:iam::111122223333:role/app"}"#, "kms:*", "{}");
    for (o, n) in [(&a, &a), (&b, &a), (&a, &b)] {
        println!("{} {:?}", brief(&p.no_new_access(o, n, None, Surroundings::Any).unwrap()), t.elapsed());
    }
    let del = allow(r#"{"AWS":"111122223333"}"#, "kms:*", "{}");
    println!("role vs delegation any {} {:?}", brief(&p.no_new_access(&del, &b, None, Surroundings::Any).unwrap()), t.elapsed());
    println!("role vs delegation willing {} {:?}", brief(&p.no_new_access(&del, &b, None, Surroundings::Willing).unwrap()), t.elapsed());
    println!("{:?} {:?}", p.repairable(&a).unwrap(), t.elapsed());
    println!("{:?} {:?}", p.repairable(&del).unwrap(), t.elapsed());
    println!("{} {:?}", brief(&p.only(&b, &["arn:aws:iam::111122223333:role/app".into()], &["kms:Decrypt".into()]).unwrap()), t.elapsed());
    println!("{} {:?}", brief(&p.only(&b, &["arn:aws:iam::111122223333:role/other".into()], &["kms:Decrypt".into()]).unwrap()), t.elapsed());
    println!("{} {:?}", brief(&p.never_without(&a, &serde_json::json!({"StringEquals":{"kms:EncryptionContext:App":"x"}}), &["kms:Decrypt".into()]).unwrap()), t.elapsed());
    println!("{} {:?}", brief(&p.never_without(&b, &serde_json::json!({"StringEquals":{"kms:EncryptionContext:App":"x"}}), &["kms:Decrypt".into()]).unwrap()), t.elapsed());
    println!("{:?} {:?}", p.statements(&a).unwrap(), t.elapsed());
}
