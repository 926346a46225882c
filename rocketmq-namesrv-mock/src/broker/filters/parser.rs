//! The grammar of SQL92 expressions, and the errors for expressions that break it. Java: `SelectorParser.jj`.
//!
//! Java's parser stops at the end of an expression, even if more text follows, and reads no more tokens than it needs
//! to decide. Its remarks list the tokens that would have been right at the place where it stopped.

use super::expression::{Constant, Expression, Order, Part, Wrong};
use super::lexer::{KINDS, Kind, Lexer, Token, escaped};

/// The deepest nesting. Java fails much later, when its stack is full.
const MAX_DEPTH: usize = 64;

/// The tokens that each place of the grammar accepts, in the order of Java's remarks.
const COMPARISONS: &[Kind] = &[
    Kind::Not,
    Kind::Between,
    Kind::In,
    Kind::Contains,
    Kind::StartsWith,
    Kind::EndsWith,
    Kind::Greater,
    Kind::GreaterEqual,
    Kind::Less,
    Kind::LessEqual,
];
const EQUALITIES: &[Kind] = &[Kind::Is, Kind::Equal, Kind::NotEqual];
const OPERANDS: &[Kind] = &[
    Kind::Not,
    Kind::True,
    Kind::False,
    Kind::Null,
    Kind::Decimal,
    Kind::Float,
    Kind::Text,
    Kind::Name,
    Kind::Open,
    Kind::Minus,
];

/// Parses an expression. An error is the text of Java's exception, with its class.
pub(crate) fn parse(text: &str) -> Result<Expression, Wrong> {
    let mut parser =
        Parser { lexer: Lexer::new(text), ahead: Vec::new(), expected: Expected::default(), depth: 0 };
    parser.any_of()?.condition()
}

struct Parser {
    lexer: Lexer,
    /// Tokens that were read and not taken, the next one first.
    ahead: Vec<Token>,
    expected: Expected,
    depth: usize,
}

/// The tokens that would be right next.
#[derive(Default)]
struct Expected {
    /// One bit for each kind.
    kinds: u32,
    /// A plus sign, which Java lists last.
    plus: bool,
}

impl Expected {
    fn add(&mut self, kinds: &[Kind]) {
        self.kinds |= kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u32);
    }
}

impl Parser {
    /// Conditions with OR between them.
    fn any_of(&mut self) -> Result<Expression, Wrong> {
        self.chain(Kind::Or, Self::all_of, Expression::Or)
    }

    /// Conditions with AND between them.
    fn all_of(&mut self) -> Result<Expression, Wrong> {
        self.chain(Kind::And, Self::equality, Expression::And)
    }

    fn chain(
        &mut self,
        between: Kind,
        part: fn(&mut Self) -> Result<Expression, Wrong>,
        whole: fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression, Wrong> {
        let first = part(self)?;
        if self.peek(0)? != between {
            self.expected.add(&[between]);
            return Ok(first);
        }
        let mut pending = Some(first);
        let mut parts = Vec::new();
        while self.peek(0)? == between {
            self.take(between)?;
            let next = part(self)?;
            if let Some(first) = pending.take() {
                parts.push(first.condition()?);
            }
            parts.push(next.condition()?);
        }
        self.expected.add(&[between]);
        Ok(whole(parts))
    }

    fn equality(&mut self) -> Result<Expression, Wrong> {
        let mut left = self.comparison()?;
        let mut is_first = true;
        loop {
            match self.peek(0)? {
                Kind::Equal => {
                    self.take(Kind::Equal)?;
                    left = Expression::equal(left, self.comparison()?)?;
                }
                Kind::NotEqual => {
                    self.take(Kind::NotEqual)?;
                    left = Expression::negated(Expression::equal(left, self.comparison()?)?);
                }
                Kind::Is => left = self.is_null(left)?,
                _ => {
                    self.expected.add(EQUALITIES);
                    return Ok(left);
                }
            }
            self.deepen(&mut is_first)?;
        }
    }

    fn is_null(&mut self, left: Expression) -> Result<Expression, Wrong> {
        let what = self.peek(1)?;
        self.take(Kind::Is)?;
        if what == Kind::Null {
            self.take(Kind::Null)?;
            return Ok(Expression::is_null(left));
        }
        self.expected.add(&[Kind::Null]);
        self.take(Kind::Not)?;
        self.take(Kind::Null)?;
        Ok(Expression::negated(Expression::is_null(left)))
    }

    fn comparison(&mut self) -> Result<Expression, Wrong> {
        let mut left = self.operand()?;
        let mut is_first = true;
        loop {
            let kind = self.peek(0)?;
            left = match kind {
                Kind::Greater => self.ordered(Order::Greater, left)?,
                Kind::GreaterEqual => self.ordered(Order::GreaterEqual, left)?,
                Kind::Less => self.ordered(Order::Less, left)?,
                Kind::LessEqual => self.ordered(Order::LessEqual, left)?,
                Kind::Not if !COMPARISONS[1..6].contains(&self.peek(1)?) => {
                    self.expected.add(&COMPARISONS[1..]);
                    return Err(self.unexpected());
                }
                Kind::Not => {
                    self.take(Kind::Not)?;
                    self.test(left, true)?
                }
                kind if COMPARISONS.contains(&kind) => self.test(left, false)?,
                _ => {
                    self.expected.add(COMPARISONS);
                    return Ok(left);
                }
            };
            self.deepen(&mut is_first)?;
        }
    }

    fn ordered(&mut self, order: Order, left: Expression) -> Result<Expression, Wrong> {
        self.advance();
        Expression::compare(order, left, self.operand()?)
    }

    /// The tests that `NOT` may precede: `NOT IN`, `NOT CONTAINS` …
    fn test(&mut self, left: Expression, not: bool) -> Result<Expression, Wrong> {
        let part = match self.advance() {
            Kind::Between => {
                let low = self.operand()?;
                self.take(Kind::And)?;
                let high = self.operand()?;
                let between = if not { Expression::not_between } else { Expression::between };
                return between(left, low, high);
            }
            Kind::In => return Expression::one_of(left, self.list()?, not),
            Kind::StartsWith => Part::StartsWith,
            Kind::EndsWith => Part::EndsWith,
            _ => Part::Contains,
        };
        Ok(Expression::Part { part, not, value: Box::new(left), search: self.text()? })
    }

    fn list(&mut self) -> Result<Vec<String>, Wrong> {
        self.take(Kind::Open)?;
        let mut list = vec![self.text()?];
        while self.peek(0)? == Kind::Comma {
            self.take(Kind::Comma)?;
            list.push(self.text()?);
        }
        self.expected.add(&[Kind::Comma]);
        self.take(Kind::Close)?;
        Ok(list)
    }

    /// A quoted text; `''` inside it stands for one quote.
    fn text(&mut self) -> Result<String, Wrong> {
        let image = self.take(Kind::Text)?.image;
        Ok(image[1..image.len() - 1].replace("''", "'"))
    }

    fn operand(&mut self) -> Result<Expression, Wrong> {
        self.nested(|parser| match parser.peek(0)? {
            Kind::Plus if parser.scan_operand(0)?.is_some() => {
                parser.take(Kind::Plus)?;
                parser.operand()
            }
            Kind::Minus => {
                parser.take(Kind::Minus)?;
                Ok(Expression::Negate(Box::new(parser.operand()?)))
            }
            Kind::Not => {
                parser.take(Kind::Not)?;
                Ok(Expression::negated(parser.operand()?.condition()?))
            }
            kind if OPERANDS.contains(&kind) => parser.primary(),
            kind => {
                parser.expected.add(OPERANDS);
                parser.expected.plus = kind != Kind::Plus;
                Err(parser.unexpected())
            }
        })
    }

    fn primary(&mut self) -> Result<Expression, Wrong> {
        let kind = self.peek(0)?;
        if kind == Kind::Open {
            self.take(Kind::Open)?;
            let inner = self.any_of()?;
            self.take(Kind::Close)?;
            return Ok(inner);
        }
        if kind == Kind::Text {
            return Ok(Expression::Constant(Constant::Text(self.text()?)));
        }
        let image = self.take(kind)?.image;
        Ok(Expression::Constant(match kind {
            Kind::Decimal => decimal(&image)?,
            Kind::Float => float(&image)?,
            Kind::True => Constant::Bool(true),
            Kind::False => Constant::Bool(false),
            Kind::Null => Constant::Null,
            _ => return Ok(Expression::Property(image)),
        }))
    }

    fn nested(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Expression, Wrong>,
    ) -> Result<Expression, Wrong> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Counts the nesting: each further comparison in a chain nests deeper.
    fn deepen(&mut self, is_first: &mut bool) -> Result<(), Wrong> {
        self.depth += usize::from(!std::mem::replace(is_first, false));
        if self.depth >= MAX_DEPTH { Err(too_deep()) } else { Ok(()) }
    }

    /// The kind of a token that is not taken yet.
    fn peek(&mut self, index: usize) -> Result<Kind, Wrong> {
        while self.ahead.len() <= index {
            let token = self.lexer.next()?;
            self.ahead.push(token);
        }
        Ok(self.ahead[index].kind)
    }

    /// Takes a token of this kind; any other is an error.
    fn take(&mut self, kind: Kind) -> Result<Token, Wrong> {
        if self.peek(0)? != kind {
            self.expected.add(&[kind]);
            return Err(self.unexpected());
        }
        self.expected = Expected::default();
        Ok(self.ahead.remove(0))
    }

    /// Takes a token that `peek` has read.
    fn advance(&mut self) -> Kind {
        self.expected = Expected::default();
        self.ahead.remove(0).kind
    }

    fn unexpected(&self) -> Wrong {
        let Some(token) = self.ahead.first() else { return String::new() };
        let encountered = match token.kind {
            Kind::End => Kind::End.name().to_owned(),
            kind => {
                let image: Vec<u16> = token.image.encode_utf16().collect();
                format!(" {} \"{} \"", kind.name(), escaped(&image))
            }
        };
        let Expected { kinds, plus } = self.expected;
        let listed = KINDS.iter().filter(|(kind, _)| kinds & 1 << *kind as u32 != 0).map(|(_, name)| *name);
        let listed: Vec<_> = listed.chain(plus.then_some(Kind::Plus.name())).collect();
        let one_of = if listed.len() == 1 { "" } else { " one of" };
        let listed: String = listed.iter().map(|name| format!("{name} ...\n    ")).collect();
        format!(
            "org.apache.rocketmq.filter.parser.ParseException: Encountered \"{encountered}\" at line {}, column {}.\n\
             Was expecting{one_of}:\n    {listed}",
            token.line, token.column
        )
    }
}

/// Finds the end of an operand: after a plus sign Java checks that an operand follows, before it takes the sign.
impl Parser {
    fn scan_operand(&mut self, at: usize) -> Result<Option<usize>, Wrong> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let end = match self.peek(at)? {
            Kind::Plus | Kind::Minus | Kind::Not => self.scan_operand(at + 1),
            Kind::Open => self.scan_condition(at + 1),
            kind => Ok(OPERANDS.contains(&kind).then_some(at + 1)),
        };
        self.depth -= 1;
        end
    }

    /// Scans from after an opening to after a closing parenthesis.
    fn scan_condition(&mut self, mut at: usize) -> Result<Option<usize>, Wrong> {
        loop {
            let Some(end) = self.scan_operand(at)? else { return Ok(None) };
            let Some(end) = self.scan_comparisons(end)? else { return Ok(None) };
            at = match self.peek(end)? {
                Kind::Close => return Ok(Some(end + 1)),
                Kind::And | Kind::Or | Kind::Equal | Kind::NotEqual => end + 1,
                _ => return Ok(None),
            };
        }
    }

    /// Scans everything that may follow an operand without another condition.
    fn scan_comparisons(&mut self, mut at: usize) -> Result<Option<usize>, Wrong> {
        loop {
            let is_negated = self.peek(at)? == Kind::Not;
            let operator = at + usize::from(is_negated);
            let end = match self.peek(operator)? {
                Kind::Greater | Kind::GreaterEqual | Kind::Less | Kind::LessEqual if !is_negated => {
                    self.scan_operand(operator + 1)?
                }
                Kind::Contains | Kind::StartsWith | Kind::EndsWith => {
                    (self.peek(operator + 1)? == Kind::Text).then_some(operator + 2)
                }
                Kind::Between => match self.scan_operand(operator + 1)? {
                    Some(end) if self.peek(end)? == Kind::And => self.scan_operand(end + 1)?,
                    _ => None,
                },
                Kind::In => self.scan_list(operator + 1)?,
                Kind::Is if !is_negated => {
                    let null = operator + 1 + usize::from(self.peek(operator + 1)? == Kind::Not);
                    (self.peek(null)? == Kind::Null).then_some(null + 1)
                }
                _ if is_negated => None,
                _ => return Ok(Some(at)),
            };
            let Some(end) = end else { return Ok(None) };
            at = end;
        }
    }

    fn scan_list(&mut self, mut at: usize) -> Result<Option<usize>, Wrong> {
        if self.peek(at)? != Kind::Open {
            return Ok(None);
        }
        loop {
            if self.peek(at + 1)? != Kind::Text {
                return Ok(None);
            }
            at += 2;
            match self.peek(at)? {
                Kind::Comma => {}
                Kind::Close => return Ok(Some(at + 1)),
                _ => return Ok(None),
            }
        }
    }
}

fn decimal(image: &str) -> Result<Constant, Wrong> {
    let digits = image.trim_end_matches(['l', 'L']);
    let value: i64 = digits
        .parse()
        .map_err(|_| format!("java.lang.NumberFormatException: For input string: \"{digits}\""))?;
    Ok(i32::try_from(value).map_or(Constant::Long(value), Constant::Int))
}

fn float(image: &str) -> Result<Constant, Wrong> {
    let value: f64 = image.parse().unwrap_or(f64::NAN);
    if value > f64::MAX {
        return Err(format!("java.lang.RuntimeException: {image} is greater than 1.7976931348623157E308"));
    }
    if value == 0.0 {
        return Err(format!("java.lang.RuntimeException: {image} is less than 4.9E-324"));
    }
    Ok(Constant::Double(value))
}

fn too_deep() -> Wrong {
    "java.lang.StackOverflowError".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        parse(text).map(|expression| expression.to_string()).unwrap_or_else(|wrong| wrong)
    }

    #[test]
    fn not_binds_stronger_than_comparisons_and_these_stronger_than_and() {
        let read = [
            ("NOT a = 1 OR b > 2 AND c", "(((NOT a) == 1) || ((b > 2) && c))"),
            ("a BETWEEN 1 AND 2 AND b", "(((a >= 1) && (a <= 2)) && b)"),
            ("a OR b OR (c OR d)", "((a || b) || (c || d))"),
            ("a > -5 = TRUE", "((a > (- 5)) == TRUE)"),
            ("a NOT IN ('x', 'it''s')", "a NOT IN ( x, it's )"),
            ("a <> 'x' and b is not null", "((NOT (a == 'x')) && (NOT (b == NULL)))"),
            ("a NOT STARTSWITH 'x' /* y */ -- z\n or b", "((NOT STARTSWITH a) || b)"),
        ];
        for (text, expected) in read {
            assert_eq!(printed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_comes_behind_an_expression_is_not_looked_at() {
        assert_eq!(printed("a > 1 b #"), "(a > 1)");
        assert_eq!(printed("+ + (a > 1) )"), "(a > 1)");
        assert!(printed("a > 1 #").contains("TokenMgrError"));
    }

    #[test]
    fn expressions_are_only_so_deep() {
        for text in [
            "(".repeat(100_000),
            "NOT ".repeat(100_000),
            "+".repeat(5_000),
            "a".to_owned() + &" IS NULL".repeat(5_000),
        ] {
            assert_eq!(printed(&text), "java.lang.StackOverflowError");
        }
        let wide = "a = 'x' OR ".repeat(20_000) + "b";
        assert!(parse(&wide).is_ok_and(|expression| !expression.matches("a\u{1}y\u{2}")));
    }
}
