const DEFAULT_COLOUR = "#2455c3";
const SURFACES = { light: "#ffffff", dark: "#15181d" };
const BUBBLES = { light: "#f2f4f7", dark: "#22272f" }; // the least contrast that brand-coloured text meets
const READABLE = 4.5; // WCAG 2.2 AA for normal text

function channels(hex) {
  const full = hex.length === 4 ? hex.replace(/[0-9a-f]/gi, "$&$&") : hex;
  return [1, 3, 5].map((at) => parseInt(full.slice(at, at + 2), 16));
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function mix(rgb, towards, share) {
  return rgb.map((value, at) => Math.round(value + (towards[at] - value) * share));
}

function readableOn(rgb, surface) {
  const towards = luminance(surface) > 0.5 ? [0, 0, 0] : [255, 255, 255];
  for (let share = 0; share < 1; share += 0.04) {
    const tried = mix(rgb, towards, share);
    if (contrast(tried, surface) >= READABLE) return tried;
  }
  return towards;
}

function css(rgb) {
  return `rgb(${rgb.join(" ")})`;
}

function brandColours(hex, theme) {
  const brand = channels(COLOUR.test(hex || "") ? hex : DEFAULT_COLOUR);
  const surface = channels(SURFACES[theme]);
  const white = [255, 255, 255];
  const dark = [16, 19, 24];
  const over = contrast(brand, white) >= READABLE || contrast(brand, white) > contrast(brand, dark) ? white : dark;
  return {
    "--brand": css(brand),
    "--brand-over": css(over),
    "--brand-ink": css(readableOn(brand, channels(BUBBLES[theme]))),
    "--brand-tint": css(mix(surface, brand, theme === "dark" ? 0.2 : 0.08)),
    "--brand-deep": css(mix(brand, [0, 0, 0], 0.16)),
    "--brand-edge": contrast(brand, surface) < 1.6 ? "var(--line-strong)" : "transparent",
  };
}
