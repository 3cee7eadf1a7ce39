"""Colours and text styles of charts, in light and dark, for pages and for stand-alone SVG files."""

from __future__ import annotations

# Four tones that stay distinct under the usual colour vision deficiencies; markers and names tell series apart too.
COLOURS = """
:root { color-scheme: light dark; --ground: #fbfbf9; --card: #ffffff; --ink: #1c2126; --soft: #5b646d;
  --rule: #e3e6e8; --tone-0: #0b6bb0; --tone-1: #b84f08; --tone-2: #0a7a5c; --tone-3: #6b5b95; --mark: #eef5fb; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1c2024; --ink: #e8ebed; --soft: #a3adb6;
  --rule: #31373d; --tone-0: #62b5f0; --tone-1: #f3a35c; --tone-2: #57cfa8; --tone-3: #b9a8e6; --mark: #1d2c38; } }
"""
STYLE = """
svg text { fill: var(--soft); font: 12.5px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; text-anchor: middle; }
svg .title { fill: var(--ink); font-size: 14.5px; text-anchor: start; }
svg .value { fill: var(--ink); }
svg .right { text-anchor: end; }
svg .left { text-anchor: start; }
svg .grid { stroke: var(--rule); }
svg .target { stroke: var(--soft); stroke-dasharray: 2 4; }
svg .ring { fill: none; stroke: var(--ink); stroke-width: 1.5; }
svg .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .wide { stroke-width: 3.2; }
svg .dashed { stroke-dasharray: 7 4; }
svg .dotted { stroke-dasharray: 2 4; }
svg .leader { fill: none; stroke-width: 1; opacity: .7; }
svg .band { stroke: none; opacity: .17; }
svg .dot { stroke: var(--card); stroke-width: .8; }
svg .hollow { fill: var(--card) !important; stroke-width: 1.6; }
""" + "\n".join(
    f"svg :is(.curve, .leader, .hollow).tone-{tone} {{ stroke: var(--tone-{tone}); }} "
    f"svg :is(.band, .dot, .name).tone-{tone} {{ fill: var(--tone-{tone}); }}"
    for tone in range(4)
)
