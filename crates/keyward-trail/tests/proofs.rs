//! Notes, checkpoints, proofs and the witness, with real Ed25519 and other people's vectors.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use keyward_trail::{
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, Trust},
    merkle::{
        EMPTY_ROOT, Hash, InclusionError, Nodes, consistency_proof, inclusion_proof, leaf_hash,
        root_at,
    },
    note::{
        KeyError, KeyKind, NOTE_BYTES_MAX, NoteError, NoteSignature, SIGNATURES_MAX, SignedNote,
        Signer, VerifierKey, cosign, sign,
    },
    proof::{Proof, ProofError},
    witness::{AddCheckpoint, KnownLog, Refusal},
};
use proptest::prelude::*;

struct Key(SigningKey);

impl Key {
    fn numbered(number: u8) -> Self {
        Self(SigningKey::from_bytes(&[number; 32]))
    }

    fn verifier(&self, name: &str, kind: KeyKind) -> VerifierKey {
        VerifierKey::new(name, kind, self.public()).unwrap()
    }
}

impl Signer for Key {
    fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

fn ed25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

// The example of c2sp.org/signed-note.
const SPEC_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

// The tests of golang.org/x/mod/sumdb/note.
const PETER_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// The type byte and the seed, as `PRIVATE+KEY` texts hold them; published, and of no use elsewhere.
const PETER_SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER_LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_KEY: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const ENOCH_LINE: &str = "\u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

// Of other logs and witnesses: the Go checksum database, and transparency-dev/formats.
const OTHER_KEYS: [&str; 3] = [
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
];

fn key(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

#[test]
fn verifier_keys_of_others_are_read_and_written_back() {
    for text in [SPEC_KEY, PETER_KEY, ENOCH_KEY].iter().chain(&OTHER_KEYS) {
        assert_eq!(key(text).to_string(), **text);
    }
    assert_eq!((key(SPEC_KEY).name(), key(SPEC_KEY).id()), ("example.com/foo", 0x530d_903a));
    assert_eq!(key(OTHER_KEYS[2]).kind(), KeyKind::CosignatureV1);
}

#[test]
fn what_is_not_a_verifier_key_is_refused() {
    for (text, error) in [
        ("", KeyError::Form),
        ("PeterNeumann+c74f20a3", KeyError::Form),
        ("PeterNeumann+c74f20a3+!!!!", KeyError::Form),
        ("PeterNeumann+c74f20a3+", KeyError::Form),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Name),
        ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Name),
        ("Peter\u{a0}N+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Name),
        ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Id),
        ("PeterNeumann+74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Id),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::IdDiffers),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=", KeyError::Length),
        (
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            KeyError::Kind(0x65),
        ),
    ] {
        assert_eq!(text.parse::<VerifierKey>(), Err(error), "{text}");
    }
}

#[test]
fn notes_of_others_verify() {
    let note = SignedNote::parse(SPEC_NOTE.as_bytes()).unwrap();
    assert_eq!(note.unverified_text(), "This is an example message.\n");
    assert_eq!(note.to_string(), SPEC_NOTE);
    let signed = note.verify(&[key(PETER_KEY), key(SPEC_KEY)], &ed25519).unwrap();
    assert_eq!(signed.len(), 1);
    assert_eq!((&signed[0].key, signed[0].seconds), (&key(SPEC_KEY), None));

    let note =
        SignedNote::parse(format!("{PETER_TEXT}\n{PETER_LINE}{ENOCH_LINE}").as_bytes()).unwrap();
    let names = |trusted: &[VerifierKey]| {
        let signed = note.verify(trusted, &ed25519)?;
        Ok(signed.iter().map(|one| one.key.name().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(names(&[key(PETER_KEY)]), Ok(vec!["PeterNeumann".to_owned()]));
    assert_eq!(
        names(&[key(ENOCH_KEY), key(PETER_KEY)]),
        Ok(vec!["PeterNeumann".to_owned(), "EnochRoot".to_owned()])
    );
    assert_eq!(names(&[key(SPEC_KEY)]), Err(NoteError::NotSigned));
    assert_eq!(names(&[]), Err(NoteError::NotSigned));
}

#[test]
fn a_note_is_signed_as_others_sign_it() {
    use base64::Engine;
    let secret = base64::engine::general_purpose::STANDARD.decode(PETER_SECRET).unwrap();
    let peter = Key(SigningKey::from_bytes(secret[1..].try_into().unwrap()));
    assert_eq!(peter.verifier("PeterNeumann", KeyKind::Ed25519).to_string(), PETER_KEY);
    let line = sign(PETER_TEXT, "PeterNeumann", &peter).unwrap();
    assert_eq!(line.to_string(), PETER_LINE);
}

/// The message of a cosignature is written out here by hand.
#[test]
fn a_cosignature_is_over_the_time_and_the_text() {
    let text =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let message = format!("cosignature/v1\ntime 1679315147\n{text}");
    let witness = Key::numbered(4);
    let line = cosign(text, "witness.example.com/w1", &witness, 1_679_315_147).unwrap().to_string();
    let (_, encoded) = line.trim_end().rsplit_once(' ').unwrap();
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    assert_eq!(bytes.len(), 4 + 8 + 64);
    assert_eq!(bytes[4..12], 1_679_315_147_u64.to_be_bytes());
    assert_eq!(bytes[12..], witness.0.sign(message.as_bytes()).to_bytes());
    // The time of the example in the specification.
    let published = "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
    let bytes = base64::engine::general_purpose::STANDARD.decode(published).unwrap();
    assert_eq!(bytes[4..12], 1_679_315_147_u64.to_be_bytes());

    let mut note =
        SignedNote::new(text.to_owned(), NoteSignature::parse_lines(&line).unwrap()).unwrap();
    let trusted = [witness.verifier("witness.example.com/w1", KeyKind::CosignatureV1)];
    assert_eq!(note.verify(&trusted, &ed25519).unwrap()[0].seconds, Some(1_679_315_147));
    // The same key as a plain one has another id.
    let plain = [witness.verifier("witness.example.com/w1", KeyKind::Ed25519)];
    assert_eq!(note.verify(&plain, &ed25519), Err(NoteError::NotSigned));
    assert_eq!(cosign(text, "w", &witness, 1 << 63), Err(NoteError::Time));
    // Made by hand, a later time than there may be is refused although its signature is right.
    let late = format!("cosignature/v1\ntime {}\n{text}", 1_u64 << 63);
    let id = trusted[0].id().to_be_bytes();
    let bytes =
        [&id[..], &(1_u64 << 63).to_be_bytes(), &witness.0.sign(late.as_bytes()).to_bytes()];
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes.concat());
    let line = format!("\u{2014} witness.example.com/w1 {encoded}\n");
    let late = SignedNote::parse(format!("{text}\n{line}").as_bytes()).unwrap();
    let bad = NoteError::BadSignature("witness.example.com/w1".to_owned());
    assert_eq!(late.verify(&trusted, &ed25519), Err(bad.clone()));
    // A second one of the same key counts once, and must verify too.
    note.push(cosign(text, "witness.example.com/w1", &witness, 5).unwrap()).unwrap();
    assert_eq!(note.verify(&trusted, &ed25519).unwrap().len(), 1);
    note.push(cosign("other\n", "witness.example.com/w1", &witness, 6).unwrap()).unwrap();
    assert_eq!(note.verify(&trusted, &ed25519), Err(bad));
}

#[test]
fn a_changed_note_is_refused_whatever_else_verifies() {
    let one = format!("{PETER_TEXT}\n{PETER_LINE}{ENOCH_LINE}");
    let trusted = [key(PETER_KEY), key(ENOCH_KEY)];
    for (from, to) in [("answer", "anser"), ("FFYC2", "FFYC3"), ("OTGwn", "OTGwm")] {
        let changed = one.replace(from, to);
        assert_ne!(changed, one);
        let note = SignedNote::parse(changed.as_bytes()).unwrap();
        assert!(
            matches!(note.verify(&trusted, &ed25519), Err(NoteError::BadSignature(_))),
            "{from}"
        );
    }
    // Under another name, or with another id, it is a stranger's.
    for (from, to) in [("\u{2014} Peter", "\u{2014} Petra"), (" x08go", " x08gp")] {
        let note = SignedNote::parse(one.replace(from, to).as_bytes()).unwrap();
        assert_eq!(note.verify(&trusted[..1], &ed25519), Err(NoteError::NotSigned), "{from}");
    }
}

#[test]
fn what_is_not_a_note_is_refused() {
    let line = ENOCH_LINE;
    let two = |more: &str| format!("text\n\n{line}{more}");
    for (text, error) in [
        (String::new(), NoteError::Form),
        ("text\n".to_owned(), NoteError::Form),
        ("text\n\n".to_owned(), NoteError::Form),
        (format!("text\n{line}"), NoteError::Form),
        (format!("text\n\n{}", line.trim_end()), NoteError::Form),
        (format!("te\txt\n\n{line}"), NoteError::ControlCharacter),
        (format!("text\r\n\r\n{line}"), NoteError::ControlCharacter),
        (two("\n"), NoteError::Form),
        (two("x\n"), NoteError::SignatureLine(2)),
        (two("- name AAAAAAE=\n"), NoteError::SignatureLine(2)),
        (two("\u{2014}name AAAAAAE=\n"), NoteError::SignatureLine(2)),
        (two("\u{2014} name\n"), NoteError::SignatureLine(2)),
        (two("\u{2014}  AAAAAAE=\n"), NoteError::SignatureLine(2)),
        (two("\u{2014} na+me AAAAAAE=\n"), NoteError::SignatureLine(2)),
        (two("\u{2014} na\u{2003}me AAAAAAE=\n"), NoteError::SignatureLine(2)),
        (two("\u{2014} name AAAAAAE\n"), NoteError::SignatureLine(2)),
        (two("\u{2014} name AAAAAAF=\n"), NoteError::SignatureLine(2)),
        (two("\u{2014} name AAAAAA==\n"), NoteError::SignatureLine(2)),
        (two("\u{2014} name AAAAAAE= \n"), NoteError::SignatureLine(2)),
        (two(&line.repeat(SIGNATURES_MAX)), NoteError::TooManySignatures),
        ("x".repeat(NOTE_BYTES_MAX + 1), NoteError::TooLarge),
    ] {
        let shown: String = text.chars().take(80).collect();
        assert_eq!(SignedNote::parse(text.as_bytes()), Err(error), "{shown:?}");
    }
    assert_eq!(SignedNote::parse(b"\xff\n\n"), Err(NoteError::NotUtf8));
    assert!(SignedNote::parse(two("\u{2014} name AAAAAAE=\n").as_bytes()).is_ok());
    assert!(SignedNote::parse(two(&line.repeat(SIGNATURES_MAX - 1)).as_bytes()).is_ok());
}

#[test]
fn the_last_empty_line_parts_text_and_signatures() {
    let text = "one\n\n\u{2014} name AAAAAAE=\n\ntwo\n\n\n";
    let note = SignedNote::parse(format!("{text}\n{ENOCH_LINE}").as_bytes()).unwrap();
    assert_eq!(note.unverified_text(), text);
    let lines = || NoteSignature::parse_lines(ENOCH_LINE).unwrap();
    assert_eq!(SignedNote::new(text.to_owned(), lines()), Ok(note));
    // Without its last newline, this would read as another text with one signature more.
    let trap = format!("text\n\n{}", ENOCH_LINE.trim_end());
    assert_eq!(SignedNote::new(trap, lines()), Err(NoteError::Form));
    assert_eq!(SignedNote::new("text\n".to_owned(), vec![]), Err(NoteError::Form));
}

#[test]
fn two_trusted_keys_under_one_name_and_id_are_not_guessed_between() {
    let note = SignedNote::parse(SPEC_NOTE.as_bytes()).unwrap();
    let twice = [key(SPEC_KEY), key(SPEC_KEY)];
    assert_eq!(note.verify(&twice, &ed25519).unwrap().len(), 1);

    // Two numbers that, taken as public keys, have one id under this name.
    let numbered = |number: u32| {
        let mut public = [0; 32];
        public[28..].copy_from_slice(&number.to_be_bytes());
        VerifierKey::new("twin", KeyKind::Ed25519, public).unwrap()
    };
    let twins = [numbered(48_221), numbered(128_134)];
    assert_eq!((twins[0].id(), twins[1].id()), (0x2498_0d16, 0x2498_0d16));
    let note = SignedNote::parse("text\n\n\u{2014} twin JJgNFgE=\n".as_bytes()).unwrap();
    let ambiguous = Err(NoteError::AmbiguousKey("twin".to_owned()));
    assert_eq!(note.verify(&twins, &ed25519), ambiguous);
    let bad = Err(NoteError::BadSignature("twin".to_owned()));
    assert_eq!(note.verify(&twins[..1], &ed25519), bad);
}

const ORIGIN: &str = "keyward.example/log";

fn tree(size: u64) -> Nodes {
    let mut nodes = Nodes::default();
    for i in 0..size {
        nodes.append(leaf_hash(format!("event {i}").as_bytes())).unwrap();
    }
    nodes
}

fn checkpoint(nodes: &Nodes, size: u64) -> SignedCheckpoint {
    let root = root_at(nodes, size).unwrap();
    Checkpoint::new(ORIGIN, size, root).sign(&Key::numbered(1)).unwrap()
}

fn log_key() -> VerifierKey {
    Key::numbered(1).verifier(ORIGIN, KeyKind::Ed25519)
}

#[test]
fn a_checkpoint_reads_as_it_is_written() {
    let text =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let read = Checkpoint::parse(text).unwrap();
    assert_eq!((read.origin.as_str(), read.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(read.to_string(), text);
    let extended = format!("{text}first\nsecond\n");
    let read = Checkpoint::parse(&extended).unwrap();
    assert_eq!(read.extensions, ["first", "second"]);
    assert_eq!(read.to_string(), extended);

    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for (text, error) in [
        (String::new(), CheckpointError::Form),
        (format!("o\n7\n{root}"), CheckpointError::Form),
        ("o\n7\n".to_owned(), CheckpointError::Form),
        (format!("\n7\n{root}\n"), CheckpointError::Form),
        (format!("o\n7\n{root}\n\n"), CheckpointError::Form),
        (format!("o\n7\n{root}\n\nx\n"), CheckpointError::Form),
        (format!("o\n7\n{root}\nx\ty\n"), CheckpointError::Form),
        (format!("o\n07\n{root}\n"), CheckpointError::Size),
        (format!("o\n+7\n{root}\n"), CheckpointError::Size),
        (format!("o\n18446744073709551616\n{root}\n"), CheckpointError::Size),
        ("o\n7\nAAAA\n".to_owned(), CheckpointError::Root),
        (format!("o\n7\n{root} \n"), CheckpointError::Root),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
    }
}

#[test]
fn a_checkpoint_is_trusted_by_its_log_key_and_quorum() {
    let text = checkpoint(&tree(7), 7);
    let log = [log_key()];
    let (first, second) = (Key::numbered(2), Key::numbered(3));
    let witnesses = [
        first.verifier("w1.example", KeyKind::CosignatureV1),
        second.verifier("w2.example", KeyKind::CosignatureV1),
        first.verifier("w1-again.example", KeyKind::CosignatureV1),
        Key::numbered(1).verifier("self.example", KeyKind::CosignatureV1),
        second.verifier("plain.example", KeyKind::Ed25519),
    ];
    let trust = |quorum| Trust { origin: ORIGIN, log: &log, witnesses: &witnesses, quorum };
    let count = |signed: &SignedCheckpoint, quorum| {
        signed.verify(&trust(quorum), &ed25519).map(|opened| opened.witnesses.len())
    };
    assert_eq!(count(&text, 0), Ok(0));
    assert_eq!(count(&text, 1), Err(CheckpointError::QuorumMissed { needed: 1, found: 0 }));

    let mut cosigned = text.clone();
    let body = text.unverified().to_string();
    let mut add = |signature| cosigned.note_mut().push(signature).unwrap();
    add(cosign(&body, "w1.example", &first, 10).unwrap());
    add(cosign(&body, "w1-again.example", &first, 10).unwrap());
    add(cosign(&body, "self.example", &Key::numbered(1), 10).unwrap());
    add(cosign(&body, "stranger.example", &Key::numbered(9), 10).unwrap());
    add(sign(&body, "plain.example", &second).unwrap());
    assert_eq!(count(&cosigned, 1), Ok(1));
    assert_eq!(count(&cosigned, 2), Err(CheckpointError::QuorumMissed { needed: 2, found: 1 }));
    cosigned.note_mut().push(cosign(&body, "w2.example", &second, 11).unwrap()).unwrap();
    assert_eq!(count(&cosigned, 2), Ok(2));
    let again = SignedCheckpoint::parse(cosigned.to_string().as_bytes()).unwrap();
    assert_eq!(again, cosigned);

    let other = Trust { origin: "other.example/log", ..trust(0) };
    assert!(matches!(text.verify(&other, &ed25519), Err(CheckpointError::OriginDiffers { .. })));
    let stranger = [Key::numbered(8).verifier(ORIGIN, KeyKind::Ed25519)];
    let other = Trust { log: &stranger, ..trust(0) };
    assert_eq!(text.verify(&other, &ed25519), Err(CheckpointError::LogNotSigned));
    // Witnesses alone do not make a checkpoint.
    assert_eq!(cosigned.verify(&other, &ed25519), Err(CheckpointError::LogNotSigned));
}

fn proof(index: u64, size: u64) -> Proof {
    let nodes = tree(size);
    let path = inclusion_proof(&nodes, index, size).unwrap();
    Proof::new(index, path, checkpoint(&nodes, size)).unwrap()
}

fn leaf(index: u64) -> Hash {
    leaf_hash(format!("event {index}").as_bytes())
}

#[test]
fn a_proof_is_read_back_and_holds_for_its_event_alone() {
    let log = [log_key()];
    let trust = Trust { origin: ORIGIN, log: &log, witnesses: &[], quorum: 0 };
    for size in 1..20 {
        for index in 0..size {
            let text = proof(index, size).to_string();
            let read = Proof::parse(text.as_bytes()).unwrap();
            assert_eq!(read.to_string(), text);
            let opened = read.verify(&leaf(index), &trust, &ed25519).unwrap();
            assert_eq!(opened.checkpoint.size, size);
            assert_eq!(
                read.verify(&leaf(index + 1), &trust, &ed25519),
                Err(InclusionError::RootDiffers.into())
            );
        }
    }
    let text = proof(2, 3).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["c2sp.org/tlog-proof@v1", "index 2"]);
    assert_eq!(lines[3..6], ["", ORIGIN, "3"]);
    let beyond = Proof::parse(text.replace("index 2", "index 3").as_bytes()).unwrap();
    assert_eq!(
        beyond.verify(&leaf(3), &trust, &ed25519),
        Err(InclusionError::IndexBeyondSize { index: 3, size: 3 }.into())
    );
    let stranger = [Key::numbered(8).verifier(ORIGIN, KeyKind::Ed25519)];
    assert_eq!(
        proof(2, 3).verify(&leaf(2), &Trust { log: &stranger, ..trust }, &ed25519),
        Err(CheckpointError::LogNotSigned.into())
    );
}

#[test]
fn extra_data_comes_along() {
    let with = proof(0, 1).with_extra(b"data".to_vec()).unwrap();
    let text = with.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra ZGF0YQ==\nindex 0\n\n"));
    assert_eq!(Proof::parse(text.as_bytes()), Ok(with));
    assert_eq!(proof(0, 1).with_extra(vec![0; 64 * 1024 + 1]), Err(ProofError::Extra));
}

#[test]
fn what_is_not_a_proof_is_refused() {
    let text = proof(1, 3).to_string();
    let hash = text.lines().nth(2).unwrap();
    let many = format!("{hash}\n").repeat(65);
    for (from, to, error) in [
        ("proof@v1", "proof@v2", ProofError::FirstLine),
        ("c2sp", " c2sp", ProofError::FirstLine),
        ("index 1", "index 01", ProofError::Index),
        ("index 1", "index  1", ProofError::Index),
        ("index 1\n", "", ProofError::Index),
        ("index 1", "extra \nindex 1", ProofError::Extra),
        ("index 1", "extra AR==\nindex 1", ProofError::Extra),
        ("index 1", "extra\nindex 1", ProofError::Extra),
        ("index 1", "extra AQ==\nextra AQ==\nindex 1", ProofError::Index),
        ("index 1", "index 1\nAAAA", ProofError::Hash(1)),
        ("index 1", "index 1\nextra AQ==", ProofError::Hash(1)),
        ("index 1", "index 1\n", ProofError::Checkpoint(CheckpointError::Form)),
        ("index 1\n", &format!("index 1\n{many}"), ProofError::TooManyHashes),
        ("\n3\n", "\n03\n", ProofError::Checkpoint(CheckpointError::Size)),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert_eq!(Proof::parse(changed.as_bytes()), Err(error), "{from:?} became {to:?}");
    }
    assert_eq!(Proof::parse(b"c2sp.org/tlog-proof@v1\nindex 0\n"), Err(ProofError::Form));
    assert_eq!(Proof::parse(b""), Err(ProofError::FirstLine));
    assert_eq!(Proof::parse(b"\xff"), Err(ProofError::NotUtf8));
    assert_eq!(Proof::parse(&vec![b'x'; NOTE_BYTES_MAX * 2]), Err(ProofError::TooLarge));
}

fn request(nodes: &Nodes, old: u64, new: u64) -> AddCheckpoint {
    let path = consistency_proof(nodes, old, new).unwrap();
    AddCheckpoint { old, path, checkpoint: checkpoint(nodes, new) }
}

fn judge(request: &AddCheckpoint, latest: Option<(u64, Hash)>) -> Result<(u64, Hash), Refusal> {
    let known =
        |origin: &str| (origin == ORIGIN).then(|| KnownLog { keys: vec![log_key()], latest });
    request.judge(known, &ed25519).map(|checkpoint| (checkpoint.size, checkpoint.root))
}

#[test]
fn a_witness_goes_on_from_what_it_saw() {
    let nodes = tree(13);
    let mut latest = None;
    for (old, new) in [(0, 0), (0, 3), (3, 3), (3, 8), (8, 13)] {
        let request = request(&nodes, old, new);
        let read = AddCheckpoint::parse(request.to_string().as_bytes()).unwrap();
        assert_eq!(read, request);
        latest = Some(judge(&read, latest).unwrap());
        assert_eq!(latest, Some((new, root_at(&nodes, new).unwrap())));
    }
}

#[test]
fn a_witness_refuses_for_the_right_reason() {
    let nodes = tree(13);
    let at = |size| Some((size, root_at(&nodes, size).unwrap()));
    let told = |request: AddCheckpoint, latest| {
        let refusal = judge(&request, latest).unwrap_err();
        (refusal.status(), refusal.size_body())
    };
    // Of a size it did not see last.
    assert_eq!(told(request(&nodes, 0, 8), at(5)), (409, Some("5\n".to_owned())));
    assert_eq!(told(request(&nodes, 3, 8), at(5)), (409, Some("5\n".to_owned())));
    assert_eq!(told(request(&nodes, 5, 8), None), (409, Some("0\n".to_owned())));
    // A log that shrank, one that was rewritten and one that tells two stories.
    assert_eq!(told(request(&nodes, 3, 4), at(5)), (409, Some("5\n".to_owned())));
    let shrunk = AddCheckpoint { old: 5, ..request(&nodes, 4, 4) };
    assert_eq!(told(shrunk, at(5)), (400, None));
    let mut forged = Nodes::default();
    (0..13_u64).for_each(|i| forged.append(leaf_hash(&i.to_be_bytes())).unwrap());
    assert_eq!(told(request(&forged, 5, 8), at(5)), (422, None));
    assert_eq!(told(request(&forged, 5, 5), at(5)), (409, Some("5\n".to_owned())));
    assert_eq!(judge(&request(&forged, 5, 5), at(5)), Err(Refusal::Forked(5)));
    // Proofs that do not fit.
    let none = AddCheckpoint { path: vec![], ..request(&nodes, 5, 8) };
    assert_eq!(told(none, at(5)), (422, None));
    let more = AddCheckpoint { path: vec![[1; 32]], ..request(&nodes, 0, 8) };
    assert_eq!(told(more, None), (422, None));
    let same = AddCheckpoint { path: vec![[1; 32]], ..request(&nodes, 5, 5) };
    assert_eq!(told(same, at(5)), (422, None));
    // An empty log has one root.
    let odd = Checkpoint::new(ORIGIN, 0, [1; 32]).sign(&Key::numbered(1)).unwrap();
    let odd = AddCheckpoint { old: 0, path: vec![], checkpoint: odd };
    assert_eq!(judge(&odd, None), Err(Refusal::Forked(0)));
    assert_ne!(EMPTY_ROOT, [1; 32]);
    // Strangers, before anything is told about what was seen.
    let other = Checkpoint::new("other.example/log", 8, [1; 32]).sign(&Key::numbered(1)).unwrap();
    assert_eq!(told(AddCheckpoint { old: 0, path: vec![], checkpoint: other }, at(5)), (404, None));
    let other = Checkpoint::new(ORIGIN, 8, [1; 32]).sign(&Key::numbered(2)).unwrap();
    assert_eq!(told(AddCheckpoint { old: 0, path: vec![], checkpoint: other }, at(5)), (403, None));
}

#[test]
fn what_is_not_a_request_is_refused() {
    let text = request(&tree(8), 3, 8).to_string();
    let hash = text.lines().nth(1).unwrap();
    // With the proof's own four hashes.
    let many = format!("old 3\n{}", format!("{hash}\n").repeat(60));
    for (from, to) in [
        ("old 3", "old 03"),
        ("old 3", "old -3"),
        ("old 3", "Old 3"),
        ("old 3", "old 3 "),
        ("old 3\n", ""),
        ("old 3\n", "old 3\nAAAA\n"),
        ("\n\n", "\n"),
        ("\n8\n", "\n08\n"),
        ("old 3\n", &many),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert_eq!(AddCheckpoint::parse(changed.as_bytes()), Err(Refusal::Malformed), "{from:?}");
    }
    let most = text.replacen("old 3\n", &format!("old 3\n{}", format!("{hash}\n").repeat(59)), 1);
    assert_eq!(AddCheckpoint::parse(most.as_bytes()).unwrap().path.len(), 63);
    assert_eq!(AddCheckpoint::parse(b"\xff"), Err(Refusal::Malformed));
    assert_eq!(AddCheckpoint::parse(&vec![b'x'; NOTE_BYTES_MAX * 2]), Err(Refusal::Malformed));
}

/// Pieces that make text which is nearly a note, a proof or a request.
fn nearly() -> impl Strategy<Value = String> {
    let pieces = [
        "\n",
        "\n\n",
        "\u{2014} ",
        "name ",
        "AAAAAAE=",
        "c2sp.org/tlog-proof@v1\n",
        "index 1\n",
        "old 1\n",
        "extra AQ==\n",
        "text",
        "1\n",
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "+",
        "\u{2014} n AAAAAAE=\n",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_is_read_is_written_back(text in nearly()) {
        if let Ok(note) = SignedNote::parse(text.as_bytes()) {
            prop_assert_eq!(note.to_string(), text.clone());
        }
        if let Ok(read) = SignedCheckpoint::parse(text.as_bytes()) {
            prop_assert_eq!(read.to_string(), text.clone());
            prop_assert_eq!(read.unverified().to_string(), read.note().unverified_text());
        }
        if let Ok(read) = Proof::parse(text.as_bytes()) {
            prop_assert_eq!(read.to_string(), text.clone());
        }
        if let Ok(read) = AddCheckpoint::parse(text.as_bytes()) {
            prop_assert_eq!(read.to_string(), text);
        }
    }

    /// One flipped bit anywhere in a proof is noticed, or changes nothing that is told.
    #[test]
    fn every_flipped_bit_of_a_proof_is_noticed(place: prop::sample::Index, bit in 0..8_u8) {
        let log = [log_key()];
        let trust = Trust { origin: ORIGIN, log: &log, witnesses: &[], quorum: 0 };
        let mut bytes = proof(5, 13).to_string().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let held = Proof::parse(&bytes).and_then(|read| read.verify(&leaf(5), &trust, &ed25519));
        prop_assert!(held.is_err(), "byte {}, bit {}", place, bit);
    }
}
