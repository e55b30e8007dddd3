//! QR codes as one picture to print or to hold into a camera: version as small as it can be, level M, alphanumeric mode.

use qrcode::{Color, EcLevel, QrCode};

use crate::domain::{Class, Error, Result};

/// Pixels of a module, and modules of white around a code, which readers need four of.
const SCALE: usize = 6;
const QUIET: usize = 4;
/// Codes side by side.
const COLUMNS: usize = 4;

/// Returns a PNG with a code for each text, in rows of four, in reading order.
///
/// # Errors
///
/// `E-INTERNAL qr` for a text that no code holds.
pub fn picture(texts: &[String]) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Class::Internal, "qr", format!("a summary cannot be drawn: {error}"))
    };
    let codes = texts
        .iter()
        .map(|text| QrCode::with_error_correction_level(text, EcLevel::M).map_err(|error| failed(&error)));
    let codes: Vec<QrCode> = codes.collect::<Result<_>>()?;
    let modules = codes.iter().map(QrCode::width).max().unwrap_or(0);
    let cell = modules.saturating_add(2 * QUIET).saturating_mul(SCALE);
    let columns = codes.len().clamp(1, COLUMNS);
    let (width, height) = (
        cell.saturating_mul(columns),
        cell.saturating_mul(codes.len().div_ceil(columns)),
    );
    let mut pixels = vec![u8::MAX; width.saturating_mul(height)];
    for (place, code) in codes.iter().enumerate() {
        let (left, top) = (place % columns, place.checked_div(columns).unwrap_or(0));
        let dark = code.to_colors();
        let dark = dark.iter().enumerate().filter(|(_, color)| **color == Color::Dark);
        for (module, _) in dark {
            let (x, y) = (module % code.width(), module.checked_div(code.width()).unwrap_or(0));
            let column = left
                .saturating_mul(cell)
                .saturating_add(x.saturating_add(QUIET).saturating_mul(SCALE));
            let line = top
                .saturating_mul(cell)
                .saturating_add(y.saturating_add(QUIET).saturating_mul(SCALE));
            for row in line..line.saturating_add(SCALE) {
                let start = row.saturating_mul(width).saturating_add(column);
                if let Some(pixels) = pixels.get_mut(start..start.saturating_add(SCALE)) {
                    pixels.fill(0);
                }
            }
        }
    }
    let mut file = Vec::new();
    let size = |size: usize| u32::try_from(size).map_err(|error| failed(&error));
    let mut encoder = png::Encoder::new(&mut file, size(width)?, size(height)?);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(|error| failed(&error))?;
    writer.write_image_data(&pixels).map_err(|error| failed(&error))?;
    writer.finish().map_err(|error| failed(&error))?;
    Ok(file)
}
