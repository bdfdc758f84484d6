use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn shape(text: &str) -> String {
    fn draw(syntax: &Syntax) -> String {
        let all = |items: &[Syntax]| items.iter().map(draw).collect::<Vec<_>>().join(" ");
        match &syntax.node {
            Node::Literal(literal) => literal.to_string(),
            Node::Name(name) => name.clone(),
            Node::List(items) => format!("[{}]", all(items)),
            Node::Unary { operator, operand } => format!("({} {})", operator.symbol(), draw(operand)),
            Node::Binary { operator, left, right, .. } => {
                format!("({} {} {})", operator.symbol(), draw(left), draw(right))
            }
            Node::Conditional { condition, yes, no } => {
                format!("(? {} {} {})", draw(condition), draw(yes), draw(no))
            }
            Node::Call { function, arguments } => format!("({} {})", function.text, all(arguments)),
            Node::Method { target, method, arguments } => {
                format!("(.{} {} {})", method.text, draw(target), all(arguments))
            }
        }
    }
    match parse(text) {
        Ok(expression) => draw(&expression.root),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn operators_bind_as_in_cel() {
    for (text, expected) in [
        ("a && b || c && d", "(|| (&& a b) (&& c d))"),
        ("a || b && c", "(|| a (&& b c))"),
        ("!a && b", "(&& (! a) b)"),
        ("a - b - c", "(- (- a b) c)"),
        ("a - (b - c)", "(- a (- b c))"),
        ("a + b * c > d", "(> (+ a (* b c)) d)"),
        ("-a * b", "(* (- a) b)"),
        ("a / b / c", "(/ (/ a b) c)"),
        ("a > 1 ? b : c ? d : e", "(? (> a 1) b (? c d e))"),
        ("(a ? b : c) ? d : e", "(? (? a b c) d e)"),
        ("(a < b) == c", "(== (< a b) c)"),
        ("process.state in [\"D\", 'Z']", "(in process.state [\"D\" \"Z\"])"),
        ("system.linux.load.1m > 4", "(> system.linux.load.1m 4)"),
        ("system.paging.io.in > 0", "(> system.paging.io.in 0)"),
        ("avg(system.cpu.utilization, \"5m\") >= 0.9", "(>= (avg system.cpu.utilization \"5m\") 0.9)"),
        ("process.name.startsWith(\"post\")", "(.startsWith process.name \"post\")"),
        ("process.name .endsWith('x')", "(.endsWith process.name \"x\")"),
        ("\"abc\".contains(\"b\")", "(.contains \"abc\" \"b\")"),
        ("(a + b).abs()", "(.abs (+ a b) )"),
        ("now()", "(now )"),
        ("[]", "[]"),
        ("[1, 2,]", "[1 2]"),
        ("true != false", "(!= true false)"),
        ("1.5e3 == 1500", "(== 1500 1500)"),
        ("1e-2", "0.01"),
        ("6/2", "(/ 6 2)"),
        ("a>-1", "(> a (- 1))"),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn a_decimal_comma_is_told_from_another_one() {
    let error = parse("process.cpu.cores > 1,5").unwrap_err();
    assert_eq!((error.message.as_str(), error.range), ("`1,5` is not a number", 20..23));
    assert_eq!(error.help.as_deref(), Some("write 1.5"));
    for text in ["a > 1, b", "a > b,5", "a > 1 ,5"] {
        assert_eq!(parse(text).unwrap_err().message, "an operator is missing before `,`", "{text}");
    }
}

#[test]
fn strings_take_both_quotes_and_escapes() {
    for (text, expected) in [
        (r#""it's""#, "it's"),
        (r#"'say "x"'"#, "say \"x\""),
        (r#""\"\\\n\t\r\a\b\f\v\?\`""#, "\"\\\n\t\r\u{7}\u{8}\u{c}\u{b}?`"),
        (r#""\x41\u00e9\U0001F600\101""#, "Aé😀A"),
        (r#"r"\d+\""#, r"\d+\"),
        (r"R'\n'", r"\n"),
        ("'日本'", "日本"),
    ] {
        let root = parse(text).map(|expression| expression.root.node);
        assert_eq!(root, Ok(Node::Literal(Literal::Text(expected.to_owned()))), "{text}");
    }
}

#[test]
fn every_part_knows_its_bytes() {
    let text = " avg( é_is_not_here";
    assert!(parse(text).is_err());
    let text = "  (a.b > \"é\") && f(c)";
    let root = parse(text).unwrap().root;
    let Node::Binary { operator_range, left, right, .. } = &root.node else { panic!("{root:?}") };
    assert_eq!(&text[root.range.clone()], "a.b > \"é\") && f(c)");
    assert_eq!(&text[left.range.clone()], "a.b > \"é\"");
    assert_eq!(&text[operator_range.clone()], "&&");
    assert_eq!(&text[right.range.clone()], "f(c)");
}

/// The mistake under its place in the text, as a person would see it.
pub(crate) fn caret(text: &str, range: &Range<usize>, message: &str, help: Option<&str>) -> String {
    let before = text[..range.start].chars().count();
    let width = text[range.clone()].chars().count().max(1);
    let mut shown = format!("{text}\n{}{} {message}\n", " ".repeat(before), "^".repeat(width));
    if let Some(help) = help {
        let _ = writeln!(shown, "  help: {help}");
    }
    shown
}

#[test]
fn mistakes_are_explained() {
    let mistakes = [
        "",
        "   ",
        "system.cpu.utilization = 1",
        "a > 1 and b > 2",
        "a > 1 AND b > 2",
        "a > 1 or b",
        "not a",
        "a is 5",
        "a & b",
        "a | b",
        "a <> b",
        "a =< b",
        "a => b",
        "a === b",
        "a > 90%",
        "a > 2GiB",
        "a > 2 GiB",
        "a > 20MiB/s",
        "a % 2",
        "a > \"90%",
        "a > 'x\n'",
        "a > “90%”",
        "(a > 1",
        "a > 1)",
        "a in [1, 2",
        "a in 1]",
        "avg(a, \"5m\"",
        "avg(a \"5m\")",
        "a >",
        "> 5",
        "a > > 5",
        "a && || b",
        "1 < a < 2",
        "a ? b",
        "a : b",
        "a b",
        "a \"x\"",
        "a.",
        "a . b",
        "a > .5",
        "a > \"\\q\"",
        "a > \"\\x4\"",
        "a > \"\\ud800\"",
        "a > 1e999",
        "größe > 5",
        "a; b",
        "a > \u{1b}",
    ];
    let shown: Vec<String> = mistakes
        .iter()
        .map(|text| match parse(text) {
            Ok(expression) => panic!("{text} was accepted: {expression:?}"),
            Err(error) => caret(text, &error.range, &error.message, error.help.as_deref()),
        })
        .collect();
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(shown.join("\n")) });
}

#[test]
fn hostile_texts_are_refused_without_going_deep() {
    let long = "a".repeat(MAX_BYTES + 1);
    assert_eq!(parse(&long).unwrap_err().message, "the condition is longer than 8192 bytes");
    for open in ["(", "[", "!", "-", "f(", "a ? ", "a.b(", "1+(", "a||b&&c==d+e*("] {
        let text = open.repeat(MAX_BYTES / open.len());
        let error = parse(&text).unwrap_err();
        assert!(error.message.contains("levels deep"), "{open}: {}", error.message);
    }
    for part in ["a&&", "a||", "1+", "1-", "2*"] {
        let text = format!("{}1", part.repeat((MAX_BYTES - 1) / part.len()));
        let error = parse(&text).unwrap_err();
        assert!(error.message.contains("operators in a row"), "{part}: {}", error.message);
    }
    let methods = format!("a{}", " .m()".repeat(1_000));
    assert!(parse(&methods).unwrap_err().message.contains("in a row"));
}

#[test]
fn what_is_just_within_the_limits_is_accepted() {
    let nested = format!("{}a{}", "(".repeat(MAX_NESTING), ")".repeat(MAX_NESTING));
    assert!(parse(&nested).is_ok());
    let chain = format!("{}a", "a && ".repeat(MAX_HEIGHT - 1));
    assert!(parse(&chain).is_ok());
    let beside = format!("{}a", "(a) && ".repeat(MAX_NESTING + 1));
    assert!(parse(&beside).is_ok(), "parts beside each other are not inside each other");
}

fn node(node: Node) -> Syntax {
    Syntax { node, range: 0..0 }
}

fn word() -> impl Strategy<Value = Word> {
    "[a-zA-Z_][a-zA-Z0-9_]{0,6}"
        .prop_filter("a word of the language", |text| is_free(text))
        .prop_map(|text| Word { text, range: 0..0 })
}

fn is_free(text: &str) -> bool {
    !["true", "false", "in"].contains(&text)
}

fn tree() -> impl Strategy<Value = Syntax> {
    let leaf = prop_oneof![
        (0_u32..2_000_000_000).prop_map(|n| Node::Literal(Literal::Number(f64::from(n)))),
        (0.0_f64..1e9).prop_map(|n| Node::Literal(Literal::Number(n))),
        any::<String>().prop_map(|text| Node::Literal(Literal::Text(text))),
        any::<bool>().prop_map(|value| Node::Literal(Literal::Boolean(value))),
        "[a-z_][a-z0-9_]{0,4}(\\.[a-z0-9_]{1,4}){0,3}".prop_filter("free", |name| is_free(name)).prop_map(Node::Name),
    ]
    .prop_map(node);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let items = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            items.clone().prop_map(Node::List),
            (prop_oneof![Just(Unary::Not), Just(Unary::Negate)], boxed.clone())
                .prop_map(|(operator, operand)| Node::Unary { operator, operand }),
            (prop::sample::select(Binary::ALL.to_vec()), boxed.clone(), boxed.clone())
                .prop_map(|(operator, left, right)| Node::Binary { operator, operator_range: 0..0, left, right }),
            (boxed.clone(), boxed.clone(), boxed.clone()).prop_map(|(condition, yes, no)| Node::Conditional {
                condition,
                yes,
                no
            }),
            (word(), items.clone()).prop_map(|(function, arguments)| Node::Call { function, arguments }),
            (boxed, word(), items).prop_map(|(target, method, arguments)| Node::Method { target, method, arguments }),
        ]
        .prop_map(node)
    })
}

/// The same tree without places.
fn placeless(syntax: Syntax) -> Syntax {
    let boxed = |part: Box<Syntax>| Box::new(placeless(*part));
    let all = |items: Vec<Syntax>| items.into_iter().map(placeless).collect();
    let word = |word: Word| Word { range: 0..0, ..word };
    node(match syntax.node {
        Node::List(items) => Node::List(all(items)),
        Node::Unary { operator, operand } => Node::Unary { operator, operand: boxed(operand) },
        Node::Binary { operator, left, right, .. } => {
            Node::Binary { operator, operator_range: 0..0, left: boxed(left), right: boxed(right) }
        }
        Node::Conditional { condition, yes, no } => {
            Node::Conditional { condition: boxed(condition), yes: boxed(yes), no: boxed(no) }
        }
        Node::Call { function, arguments } => Node::Call { function: word(function), arguments: all(arguments) },
        Node::Method { target, method, arguments } => {
            Node::Method { target: boxed(target), method: word(method), arguments: all(arguments) }
        }
        leaf => leaf,
    })
}

/// Every place lies in the text, on character boundaries, and inside its parent's.
fn places_are_sound(text: &str, syntax: &Syntax) -> bool {
    let inside = |part: &Syntax| {
        part.range.start >= syntax.range.start && part.range.end <= syntax.range.end && places_are_sound(text, part)
    };
    text.get(syntax.range.clone()).is_some()
        && match &syntax.node {
            Node::Literal(_) | Node::Name(_) => true,
            Node::List(items) => items.iter().all(inside),
            Node::Unary { operand, .. } => inside(operand),
            Node::Binary { operator, operator_range, left, right } => {
                text.get(operator_range.clone()) == Some(operator.symbol()) && inside(left) && inside(right)
            }
            Node::Conditional { condition, yes, no } => inside(condition) && inside(yes) && inside(no),
            Node::Call { function, arguments } => {
                text.get(function.range.clone()) == Some(&function.text) && arguments.iter().all(inside)
            }
            Node::Method { target, method, arguments } => {
                text.get(method.range.clone()) == Some(&method.text) && inside(target) && arguments.iter().all(inside)
            }
        }
}

fn answered_soundly(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(expression) => prop_assert!(places_are_sound(text, &expression.root), "{expression:?}"),
        Err(error) => {
            prop_assert!(text.get(error.range.clone()).is_some(), "{error:?}");
            prop_assert!(!error.message.is_empty() && !error.message.chars().any(char::is_control), "{error:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_printed_tree_parses_to_itself(tree in tree()) {
        let text = tree.to_string();
        prop_assume!(text.len() <= MAX_BYTES);
        let parsed = parse(&text).map(|expression| placeless(expression.root));
        prop_assert_eq!(parsed, Ok(tree), "{}", text);
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        answered_soundly(&text)?;
    }

    #[test]
    fn any_soup_of_tokens_is_answered(tokens in prop::collection::vec(prop::sample::select(vec![
        "a", "system.cpu.utilization", "x.1m", "in", "not", "and", "true", "1", "0.5", "1e9", "90%", "2GiB", "\"5m\"",
        "'é'", "\"\\n", "'", "(", ")", "[", "]", ",", ".", ":", "?", "!", "-", "+", "*", "/", "&&", "||", "&", "=",
        "==", "!=", "<", "<=", ">", ">=", "avg(", ".startsWith(", "日", "\u{202e}", "\n", "#", "%",
    ]), 0..40), blank in any::<bool>()) {
        answered_soundly(&tokens.join(if blank { " " } else { "" }))?;
    }
}
