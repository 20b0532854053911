package report

// The page's template and its style sheet. They are constants and not files, because this package reads none.
const (
	pageTemplate = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>Loadline report, {{.Read}}</title>
<style>
{{.Style}}
</style>
</head>
<body>
<a class="skip" href="#workloads">Skip to the workloads</a>
<header class="top"><p class="wide"><span class="brand">Loadline</span> <span class="quiet">report of {{.Read}}</span></p></header>
<main class="wide">
<h1>What is reserved, and what is needed</h1>
{{- range .Halts}}
<p class="notice bad"><strong>Running pods are left alone:</strong> {{.}}</p>
{{- end}}
{{- with .Begin}}
<p class="lead">{{.}}</p>
{{- else}}
<ul class="tiles">
{{- range .Tiles}}
<li class="tile {{.Tone}}"><span class="name">{{.Name}}</span> <span class="value">{{.Value}}</span> <span class="note">{{.Note}}</span></li>
{{- end}}
</ul>
{{- range .Trend}}
<p class="lead">{{.}}</p>
{{- end}}
{{- if .Losses}}
<section class="panel" aria-labelledby="health">
<h2 id="health">What costs health points</h2>
<ul class="looks">
{{- range .Losses}}
<li><span class="chip plain">{{index . 0}}</span> {{index . 1}}</li>
{{- end}}
</ul>
</section>
{{- end}}
{{- if .Risks}}
<section class="panel" aria-labelledby="looks">
<h2 id="looks">Look at first</h2>
<ul class="looks">
{{- range .Risks}}
<li><span class="chip {{or .Tone "plain"}}">{{.Severity}}: {{.Type}}</span> <b>{{.Namespace}}/{{.Workload}}</b> {{.Message}} <code>{{.Command}}</code></li>
{{- end}}
</ul>
{{- with .Rest}}
<p class="quiet">{{.}}</p>
{{- end}}
</section>
{{- end}}
{{- if .Advised}}
<section class="panel" aria-labelledby="advised">
<h2 id="advised">Events and business context</h2>
<ul class="looks">
{{- range .Advised}}
<li>{{.}}</li>
{{- end}}
</ul>
</section>
{{- end}}
{{- if .Nodes}}
<section class="panel" aria-labelledby="nodes">
<h2 id="nodes">Nodes</h2>
{{- range .Nodes}}
<p>{{.}}</p>
{{- end}}
</section>
{{- end}}
<section class="panel" aria-labelledby="workloads">
<h2 id="workloads">Workloads</h2>
<div class="scroll" role="region" aria-labelledby="workloads" tabindex="0">
<table>
<caption class="hidden">Requests of one pod now and recommended, and what that saves over all pods</caption>
<thead><tr>{{range .Columns}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{- range .Rows}}
<tr><th scope="row">{{.Namespace}}/{{.Name}}{{with .Why}}<span class="why">{{.}}</span>{{end}}</th>{{range .Cells}}<td>{{.}}</td>{{end}}</tr>
{{- end}}
</tbody>
</table>
</div>
</section>
{{- end}}
{{- with .Prices}}
<p class="quiet">{{.}}</p>
{{- end}}
</main>
</body>
</html>
`

	// The look of the dashboard, as far as a page without links and forms needs it.
	pageStyle = `:root { --panel: #fff; --page: #f4f6f9; --line: #d5dbe2; --link: #1a56ad; --good: #0a6640; --warn: #7a4a00; --warn-tint: #fdf0d0; --bad: #a1161c; --bad-tint: #fde4e3; --plain: #424a53; --plain-tint: #e8ecf1 }
@media (prefers-color-scheme: dark) { :root { --panel: #151b23; --page: #0d1117; --line: #303943; --link: #82b4ff; --good: #6fdca0; --warn: #f3c25b; --warn-tint: #37290a; --bad: #ff9d97; --bad-tint: #43191a; --plain: #b6c0cb; --plain-tint: #252d37 } }
* { box-sizing: border-box }
html { color-scheme: light dark; -webkit-text-size-adjust: 100% }
body { margin: 0; padding-bottom: 2rem; background: var(--page); color: var(--ll-ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: break-word }
h1, h2 { line-height: 1.25; text-wrap: balance }
h1 { margin: 0 0 1.25rem; font-size: 1.75rem; letter-spacing: -.01em }
h2 { margin: 0 0 .75rem; font-size: 1.15rem }
p { margin: .5rem 0 }
code { font: .85em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; user-select: all }
.wide { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem }
.top { margin-bottom: 1.75rem; padding: .7rem 0; background: var(--panel); border-bottom: 1px solid var(--line) }
.brand { margin-right: .5rem; font-size: 1.15rem; font-weight: 650 }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.quiet, .why { color: var(--ll-soft); font-size: .875rem }
.lead { font-size: 1.1rem; max-width: 60rem }
.skip { position: absolute; left: -100vw; z-index: 1; padding: .6rem 1rem; background: var(--panel); color: var(--ll-ink) }
.skip:focus { left: .5rem; top: .5rem }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px }
.panel { margin: 0 0 1.25rem; padding: 1.1rem 1.25rem; background: var(--panel); border: 1px solid var(--line); border-radius: 10px }
.good { --tone: var(--good) }
.warn { --tone: var(--warn); --tint: var(--warn-tint) }
.bad { --tone: var(--bad); --tint: var(--bad-tint) }
.plain { --tone: var(--plain); --tint: var(--plain-tint) }
.notice, .chip { background: var(--tint); color: var(--tone) }
.notice { margin: 0 0 1.25rem; padding: .8rem 1rem; border-left: 4px solid var(--tone); border-radius: 6px }
.chip { display: inline-block; margin-right: .35rem; padding: .05rem .55rem; border-radius: 1rem; font-size: .8125rem; font-weight: 600 }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(9.5rem, 100%), 1fr)); gap: .8rem; margin: 0 0 1.25rem; padding: 0; list-style: none }
.tile { padding: .8rem 1rem .9rem; background: var(--panel); border: 1px solid var(--line); border-top: 4px solid var(--tone, var(--line)); border-radius: 10px }
.tile span { display: block }
.name, .note { font-size: .875rem; color: var(--ll-soft) }
.name { font-weight: 600 }
.value { font-size: 1.4rem; font-weight: 680; line-height: 1.25; letter-spacing: -.02em }
.looks { margin: 0; padding: 0; list-style: none }
.looks li { padding: .45rem 0; border-bottom: 1px solid var(--line) }
.looks li:last-child { border-bottom: 0 }
.looks code { display: block; color: var(--ll-soft) }
.scroll { overflow-x: auto }
table { width: 100%; border-collapse: collapse }
th, td { padding: .5rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
td { white-space: nowrap }
thead th { font-size: .8125rem; color: var(--ll-soft); vertical-align: bottom }
tbody th { min-width: 12rem; padding-left: 0; font-weight: 600 }
thead th:first-child { padding-left: 0 }
tbody tr:last-child > * { border-bottom: 0 }
.why { display: block; max-width: 34rem; font-weight: 400 }
@media (forced-colors: active) { .chip, .notice, .tile { border: 1px solid } }
@media print {
	:root { --ll-ink: #000; --ll-soft: #333; --panel: #fff; --page: #fff; --line: #bbb; --good: #0a6640; --warn: #7a4a00; --bad: #a1161c; --plain: #333; --warn-tint: #fff; --bad-tint: #fff; --plain-tint: #fff }
	html { font-size: 9pt }
	.skip { display: none }
	.wide { max-width: none; padding: 0 }
	.panel { padding: .5rem 0; border: 0 }
	.scroll { overflow: visible }
	td { white-space: normal }
	.tiles { grid-template-columns: repeat(3, 1fr) }
	tr, li, .tile { break-inside: avoid }
	h2 { break-after: avoid }
}
`
)
