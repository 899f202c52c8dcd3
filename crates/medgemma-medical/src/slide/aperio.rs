//! What Aperio's scanners write into `ImageDescription`: a line of words, then `key = value` behind bars. Two numbers of
//! it are read; the rest (user, date, name of the file) is left alone.

/// Two numbers, and what the picture is called.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Description {
    /// `AppMag`: the power of the objective.
    pub(super) objective_power: Option<f64>,
    /// `MPP`: micrometres per pixel.
    pub(super) microns_per_pixel: Option<f64>,
    /// Whether the second line calls the picture a label.
    pub(super) is_label: bool,
    /// Whether it calls it a macro picture.
    pub(super) is_macro: bool,
}

impl Description {
    pub(super) fn parse(text: &str) -> Self {
        if !text.starts_with("Aperio") {
            return Self::default();
        }
        let number = |name: &str| {
            let mut fields = text.split('|').filter_map(|field| field.split_once('='));
            let (_, value) = fields.find(|(key, _)| key.trim() == name)?;
            let value: f64 = value.trim().parse().ok()?;
            (value.is_finite() && value > 0.0).then_some(value)
        };
        let second = text.lines().nth(1).unwrap_or_default();
        Self {
            objective_power: number("AppMag"),
            microns_per_pixel: number("MPP"),
            is_label: second.starts_with("label "),
            is_macro: second.starts_with("macro "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_behind_bars_and_names_on_the_second_line() {
        let text =
            "Aperio Image Library v11\r\n10x10 JPEG|AppMag = 20|User = x|MPP = 0.4990|MPPX = 9";
        let found = Description::parse(text);
        assert_eq!(
            (found.objective_power, found.microns_per_pixel),
            (Some(20.0), Some(0.499))
        );
        assert!(!found.is_label && !found.is_macro);
        assert!(Description::parse("Aperio Image Library v11\nlabel 387x463").is_label);
        assert!(Description::parse("Aperio Image Library v11\nmacro 1280x431").is_macro);
        for text in [
            "",
            "label 1x1",
            "Other|AppMag = 20",
            "Aperio|AppMag = x|MPP = -1|MPP",
        ] {
            assert_eq!(Description::parse(text), Description::default(), "{text}");
        }
        assert_eq!(
            Description::parse("Aperio|MPP = inf|AppMag = nan"),
            Description::default()
        );
    }
}
