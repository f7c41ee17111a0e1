"""How the page of insights looks: from a telephone's width up, light or dark as the reader has it."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dde2e8; --page: #f4f6f8;
  --card: #fff; --c0: #2f6fb3; --c1: #d9822b; --c2: #3a9a6b; --c3: #8d5ab5; --c4: #c2485b; --c5: #6b7785; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa5b3; --line: #333c48;
  --page: #12161c; --card: #1b212a; --c0: #5b9bdf; --c1: #eda255; --c2: #5fc08f; --c3: #b487d8;
  --c4: #e2788a; --c5: #98a4b3; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1400px; padding: 16px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 17px; margin: 0 0 12px; }
header p, section p { color: var(--soft); margin: 4px 0 16px; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px;
  min-width: 0; }
.wide { grid-column: 1 / -1; }
.charts { display: grid; gap: 0 24px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
figure { margin: 0 0 12px; max-width: 720px; } figcaption { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(96px, 1fr)); gap: 8px;
  margin-bottom: 16px; }
.tiles div { border: 1px solid var(--line); border-radius: 6px; padding: 8px; color: var(--soft); }
.tiles b { display: block; color: var(--ink); font-size: 22px; font-variant-numeric: tabular-nums; }
.chart { display: block; width: 100%; height: auto; }
.chart text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.narrow { display: none; }
@media (max-width: 640px) { .broad { display: none; } .narrow { display: block; } }
.grid { stroke: var(--line); } polyline { fill: none; stroke-width: 2; }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); }
.c3 { fill: var(--c3); } .c4 { fill: var(--c4); } .c5 { fill: var(--c5); }
.l0 { stroke: var(--c0); } .l1 { stroke: var(--c1); } .l2 { stroke: var(--c2); }
.l3 { stroke: var(--c3); } .l4 { stroke: var(--c4); } .l5 { stroke: var(--c5); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0 0 8px; padding: 0; }
.legend li { overflow-wrap: anywhere; } .key { width: 10px; height: 10px; margin-right: 6px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: 4px 10px 4px 0; min-width: 5em; overflow-wrap: break-word;
  border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--soft); font-weight: 600; } td { font-variant-numeric: tabular-nums; }
.n { text-align: right; white-space: nowrap; }
"""
