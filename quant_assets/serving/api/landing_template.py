"""The landing page's HTML: one column that a phone can show, no script, nothing from elsewhere."""

from __future__ import annotations

__all__ = ["PAGE", "STYLE"]

STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6675;--line:#dde2e8;--back:#fff;--card:#f6f8fa;--mark:#08519c;
--bad:#a4161a;--good:#1b7f4b}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--line:#2c3644;--back:#11161d;--card:#18202a;
--mark:#7ab8f5;--bad:#ff8b8b;--good:#6fd3a0}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:54rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);
background:var(--back)}
h1{font-size:1.35rem;margin:.2rem 0}
h2{font-size:1.05rem;margin:1.8rem 0 .5rem}
h3{font-size:1rem;margin:1rem 0 .2rem}
h2 .soft,h3 .soft{font-weight:400}
p{margin:.3rem 0}
a{color:var(--mark)}
.soft{color:var(--soft);font-size:.9rem}
.bad{color:var(--bad)}.good{color:var(--good)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.4rem,1fr));gap:.5rem;margin:.8rem 0}
dl div{background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.5rem .7rem}
dt{color:var(--soft);font-size:.8rem}
dd{margin:0;font-weight:600;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .5rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500;font-size:.85rem}
td.n,th.n{text-align:right;white-space:nowrap}
td.d{white-space:nowrap}
td.n+td:not(.n),th.n+th:not(.n){padding-left:.6rem}
td.w{overflow-wrap:anywhere;min-width:8rem}
.wide{overflow-x:auto}
meter{width:100%;height:.8rem}
.bar{display:grid;grid-template-columns:7.5rem 1fr 3rem;gap:.6rem;align-items:center}
figure{margin:.5rem 0;background:#fff;border:1px solid var(--line);border-radius:.4rem;padding:.4rem}
img{display:block;width:100%;height:auto}
ul{margin:.3rem 0;padding-left:1.2rem}
li{margin:.35rem 0}
code{font-size:.9em;overflow-wrap:anywhere}
footer{margin-top:2rem;padding-top:.8rem;border-top:1px solid var(--line)}
@media (max-width:30rem){table{font-size:.84rem}td,th{padding-right:.3rem}}
summary{cursor:pointer;padding:.4rem 0}
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>quant-assets{% if facts %}, as of {{ facts.publication.as_of }}{% endif %}</title>
<link rel="icon" href="data:,">
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>quant-assets</h1>
<p class="soft">Read-only view of what the last run published. <a href="/docs">Reference</a>,
<a href="/openapi.json">OpenAPI</a>, <a href="/api/v1/health">health</a>.</p>
</header>
{% if not facts %}
<h2>Nothing is published yet</h2>
<p>Run <code>make run</code>; this page then shows what it made.{% if failure %} {{ failure }}.{% endif %}</p>
{% else %}
{% set publication = facts.publication %}
<dl>
<div><dt>As of session</dt><dd>{{ publication.as_of or "none" }}</dd></div>
<div><dt>Published (UTC)</dt><dd>{{ publication.published_at.strftime("%Y-%m-%d %H:%M") }}</dd></div>
<div><dt>Source</dt><dd>{{ publication.source or "none" }}</dd></div>
<div><dt>Last run</dt><dd class="{{ 'good' if publication.outcome == 'success' else 'bad' }}">\
{{ publication.outcome }}</dd></div>
<div><dt>Symbols</dt><dd>{{ facts.symbols }}</dd></div>
<div><dt>Sessions</dt><dd>{{ "{:,}".format(facts.sessions) }}{% if facts.first_date %} since \
{{ facts.first_date.year }}{% endif %}</dd></div>
</dl>
{% if failure %}<p class="bad">A newer publication is not shown: {{ failure }}.</p>{% endif %}

<h2>Market regime</h2>
{% if facts.regime %}
<p><strong>{{ facts.regime.name }}</strong> <span class="soft">on {{ facts.regime.date }}</span></p>
{% for name, chance in facts.regime.chances %}
<div class="bar"><span>{{ name }}</span><meter min="0" max="1" value="{{ '%.4f' % chance }}"></meter>\
<span>{{ "%.0f" % (100 * chance) }} %</span></div>
{% endfor %}
{% else %}<p class="soft">{{ facts.absences["regimes.market_regimes"] }}</p>{% endif %}

<h2>Top signals{% if facts.signals_date %} <span class="soft">decided on {{ facts.signals_date }}</span>{% endif %}</h2>
{% for table in facts.signals %}
<h3>{{ table.model }} <span class="soft">probability of {{ table.event }}</span></h3>
<div class="wide"><table>
<tr><th>Symbol</th><th>View</th><th class="n">Probability</th><th class="n">Base rate</th><th>From</th></tr>
{% for row in table.rows %}
<tr><td><a href="/api/v1/signals/{{ row.symbol | urlencode }}?model={{ table.model | urlencode }}">\
{{ row.symbol }}</a></td>
<td>{{ row.recommendation | replace("_", " ") }}</td><td class="n">{{ row.probability | percent }}</td>
<td class="n">{{ row.base_rate | percent }}</td><td>{{ row.source }}</td></tr>
{% endfor %}
</table></div>
{% if table.note %}<p class="soft">By the heuristic: {{ table.note }}.</p>{% endif %}
{% else %}<p class="soft">{{ facts.absences["signals.signals"] or "None." }}</p>{% endfor %}

<h2>Open HIGH events</h2>
{% if facts.events %}
<div class="wide"><table>
<tr><th>Symbol</th><th>Session</th><th>Kind</th><th>Why</th></tr>
{% for row in facts.events %}
<tr><td>{{ row.symbol }}</td><td class="d">{{ row.date }}</td><td>{{ row.kind | replace("_", " ") }}</td>
<td class="w">{{ row.details }}</td></tr>
{% endfor %}
</table></div>
{% if facts.events_open > facts.events | length %}
<p class="soft">{{ facts.events | length }} of {{ facts.events_open }};
<a href="/api/v1/data-quality/events?severity=HIGH&amp;status=open">all of them</a>.</p>{% endif %}
{% else %}<p class="soft">{{ facts.absences["quality.anomaly_events"] or "None." }}</p>{% endif %}

<h2>Portfolio forecast</h2>
{% if facts.forecast %}
<figure><img src="/api/v1/portfolio/forecast/{{ facts.forecast_days }}" width="700" height="400"
alt="Fan of the portfolio's value over the next {{ facts.forecast_days }} sessions; the numbers are in the table below">
</figure>
<div class="wide"><table>
<tr><th>Ahead</th><th>Until</th><th class="n">5 %</th><th class="n">Median</th><th class="n">95 %</th>
<th class="n">VaR 95</th></tr>
{% for row in facts.forecast %}
<tr><td>{{ row.horizon_days }}</td><td class="d">{{ row.target_date.strftime("%-d %b") }}</td>
<td class="n">{{ row.p05 | amount }}</td>
<td class="n">{{ row.p50 | amount }}</td><td class="n">{{ row.p95 | amount }}</td>
<td class="n">{{ row.var_95 | amount }}</td></tr>
{% endfor %}
</table></div>
<p class="soft">Model {{ facts.forecast_model | replace("_", " ") }};
value today {{ facts.forecast[0].current_value | amount }}.</p>
{% else %}<p class="soft">{{ facts.absences["forecasts.portfolio_forecasts"] or "None." }}</p>{% endif %}

<h2>What there is</h2>
<ul>
{% for path, words in links %}<li><a href="{{ path }}"><code>{{ path }}</code></a><br>
<span class="soft">{{ words }}</span></li>
{% endfor %}
</ul>
<details><summary>{{ publication.tables | length }} tables in <code>quant.duckdb</code></summary>
<div class="wide"><table>
<tr><th>Table</th><th class="n">Rows</th><th>In the last run</th></tr>
{% for name, table in publication.tables.items() %}
<tr><td class="w">{{ name }}</td><td class="n">{{ "{:,}".format(table.rows) if table.rows is not none else "" }}</td>
<td>{{ table.state }}</td></tr>
{% endfor %}
</table></div></details>
<footer class="soft"><p>{{ publication.disclaimer }}</p></footer>
{% endif %}
</body>
</html>
"""
