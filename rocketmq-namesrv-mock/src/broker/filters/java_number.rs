//! Numbers and their texts in Java's form.

/// Java's `Double.valueOf`, without hexadecimal numbers. `None` if Java throws.
pub(crate) fn double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|character| character <= ' ');
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match digits {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let digits = digits.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(digits);
    let is_number = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        || !digits.bytes().all(is_number)
    {
        return None;
    }
    digits.parse::<f64>().ok().map(|value| sign * value)
}

/// Java's `Double.toString`.
pub(crate) fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let size = value.abs();
    if size.is_infinite() {
        return format!("{sign}Infinity");
    }
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        let text = size.to_string();
        let point = if text.contains('.') { "" } else { ".0" };
        return format!("{sign}{text}{point}");
    }
    let text = format!("{size:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{sign}{digits}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_where_java_says_so() {
        let numbers = [
            (" 5 ", 5.0),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("-1e3d", -1000.0),
            ("1F", 1.0),
            ("-Infinity", f64::NEG_INFINITY),
        ];
        for (text, number) in numbers {
            assert_eq!(double(text), Some(number), "{text}");
        }
        assert!(double("NaN").is_some_and(f64::is_nan));
        for text in ["", " ", "x", "inf", "nan", "1x", "--1", "+", ".", "1 2", "1e", "fd", "1ff"] {
            assert_eq!(double(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_printed_as_java_does() {
        let texts = [
            (0.0, "0.0"),
            (5.0, "5.0"),
            (2.5, "2.5"),
            (-0.001, "-0.001"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1.25e-4, "1.25E-4"),
            (f64::MAX, "1.7976931348623157E308"),
        ];
        for (number, text) in texts {
            assert_eq!(double_text(number), text);
        }
    }
}
