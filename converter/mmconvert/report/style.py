"""The style sheet of the report: light or dark like the reader's system, one column on a phone, no network."""

STYLE = """
:root { color-scheme: light dark; --font: -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans",
  "Liberation Sans", sans-serif; --ink: #1c2330; --dim: #5b667a; --line: #d9dee7; --page: #fff;
  --card: #f4f6fa; --mark: #fff; --good: #3a6ea8; --chosen: #14794a; --refused: #b83a31; --bar: #5d6b8a;
  --float: #96600f; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --dim: #a3adbd; --line: #343b49;
  --page: #14181f; --card: #1c222c; --mark: #10141a; --good: #6ea3e0; --chosen: #3fbf80; --refused: #ec8078;
  --bar: #8a99b8; --float: #dcaa50; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 var(--font); color: var(--ink); background: var(--page); max-width: 900px;
  margin: 1.5rem auto 3rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .8rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .3rem; }
p, ul { margin: .3rem 0 .8rem; } ul { padding-left: 1.2rem; }
.kicker, .dim, small { color: var(--dim); } .kicker { margin: 0; font-size: .85rem; }
small { display: block; font-size: .78rem; font-weight: 400; line-height: 1.35; }
.verdict { font-size: 1.1rem; background: var(--card); border-left: 5px solid var(--chosen); padding: .8rem 1rem; }
.verdict.REJECT { border-color: var(--refused); } .verdict.FULL_TF { border-color: var(--good); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: .7rem; margin: 1rem 0; }
.tile { background: var(--card); padding: .7rem 1rem; } .tile b { display: block; font-size: 1.5rem; line-height: 1.3; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .86rem; }
th, td { text-align: right; padding: .35rem .4rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: 600; } .candidates th, .candidates td { white-space: nowrap; }
.pairs th, .pairs td { text-align: left; } .pairs th { width: 11rem; font-weight: 400; }
.candidates :is(th, td):nth-child(2) { text-align: left; white-space: normal; width: 40%; }
tr.chosen td:nth-child(-n+2) { font-weight: 600; color: var(--chosen); } tr.refused td { color: var(--dim); }
tr.refused small { color: var(--refused); }
.flips { width: auto; overflow-wrap: normal; } .flips td, .flips th { padding-right: 1.5rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; margin: .3rem 0; color: var(--dim); }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: .4em; margin-right: .4em; }
.legend .good { background: var(--good); } .legend .chosen { background: var(--chosen); }
.legend .refused { background: var(--refused); } .legend .type { background: var(--bar); border-radius: .15em; }
.legend .int8, .legend .int4 { background: var(--chosen); } .legend .int16 { background: var(--good); }
.legend .float32, .legend .float16 { background: var(--float); }
code, pre { font: .85rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: var(--card); padding: .8rem; white-space: pre-wrap; margin: .3rem 0; }
svg { display: block; width: 100%; height: auto; } .narrow { display: none; }
svg text { font: 12px var(--font); fill: var(--ink); }
svg .tick, svg .label { fill: var(--dim); } svg .mark { font-size: 11px; fill: var(--mark); pointer-events: none; }
svg .grid { stroke: var(--line); } svg .leader { stroke: var(--dim); stroke-width: .7; }
svg .whisker { stroke: var(--dim); stroke-width: 1.5; }
svg .front { fill: none; stroke: var(--chosen); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .good { fill: var(--good); } svg .chosen { fill: var(--chosen); } svg .refused { fill: var(--refused); }
svg circle { fill-opacity: .85; } svg .bar, svg .type { fill: var(--bar); }
svg .int8, svg .int4 { fill: var(--chosen); } svg .int16 { fill: var(--good); }
svg .float32, svg .float16 { fill: var(--float); }
@media screen and (max-width: 860px) {
  .wide { display: none; } .narrow { display: block; } .pairs th { width: 7.5rem; }
  .candidates, .candidates tbody { display: block; } .candidates thead { display: none; }
  .candidates tr { display: grid; grid-template-columns: 1.8rem repeat(4, 1fr); padding: .5rem 0;
    border-bottom: 1px solid var(--line); }
  .candidates td { display: block; border: 0; padding: .15rem .2rem; text-align: left; white-space: normal; }
  .candidates td:nth-child(2) { grid-column: 2 / 6; width: auto; } .candidates td:nth-child(3),
  .candidates td:nth-child(7) { grid-column-start: 2; } .candidates td:empty { display: none; }
  .candidates td:nth-child(n+3)::before { content: attr(data-head); display: block; font-size: .74rem;
    font-weight: 400; color: var(--dim); }
  .flips td, .flips th { padding: .35rem .4rem .35rem 0; } .narrow svg { max-width: 480px; }
}
@media print { :root { color-scheme: light; } body { font-size: 12px; max-width: none; margin: 0; padding: 0; }
  table { font-size: .72rem; } .candidates :is(th, td):nth-child(2) { width: 34%; }
  svg, tr, .tile, pre { break-inside: avoid; } h2, .dim, .legend { break-after: avoid; } }
"""
