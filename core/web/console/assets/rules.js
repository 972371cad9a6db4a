"use strict";
// The page asks the engine after every change and shows what it says. Texts of merchants and carriers are only ever put in as text.

const $ = (id) => document.getElementById(id);
const el = (tag, attributes = {}, ...children) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) k in e ? (e[k] = v) : e.setAttribute(k, v);
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
  return e;
};

let state;               // what the engine told of the tenant
let folder;              // the one that is edited, as it was loaded
let files = [];          // {name, text} as they are edited
let active = 0;          // index of the file in the editor
let problems = [];       // of the last answer
let asking;              // AbortController of the question that is out
let timer;

const ask = async (method, path, body, signal) => {
  const answer = await fetch(path, {
    method, signal, cache: "no-store", credentials: "omit",
    headers: { "x-api-key": sessionStorage.getItem("waybill-key"), ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(data.message || `The engine answered ${answer.status}.`), { status: answer.status });
  return data;
};

// Entering and leaving.

const enter = async () => {
  try {
    state = await ask("GET", "/console/api/rules");
  } catch (e) {
    if (e.status === 401) sessionStorage.removeItem("waybill-key");
    $("refused").textContent = e.message;
    show(false);
    return;
  }
  $("refused").textContent = "";
  show(true);
  tellLive();
  $("folder").replaceChildren(...state.folders.map((f, i) => el("option", { value: String(i) }, f.name)),
    el("option", { value: "new" }, "an empty file"));
  open(state.folders[0]);
};

const show = (inside) => {
  $("enter").hidden = inside;
  $("work").hidden = $("leave").hidden = $("live").hidden = $("foot").hidden = !inside;
  if (!inside) $("key").focus();
};

const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

const tellLive = () => {
  const l = state.live;
  const nothing = [`${state.tenant} · no rules are in force: orders are refused until the files in your rules folder are mended`];
  const version = [`${state.tenant} · live rules: ${l.name || "unnamed"}, ${counted(l.rules, "rule")}, version `,
    el("code", { title: l.version }, l.version.replace("sha256:", "").slice(0, 12)), l.since ? ` since ${when(l.since)}` : ""];
  $("live").replaceChildren(...(l.version ? version : nothing));
  const trouble = [l.problem && `The files in your rules folder were not taken${l.version ? "; the version above stays in force" : ""}.\n${l.problem}`, ...(state.problems || [])].filter(Boolean);
  $("reload").textContent = trouble.join("\n");
  $("reload").hidden = trouble.length === 0;
};

$("enter").addEventListener("submit", (e) => {
  e.preventDefault();
  sessionStorage.setItem("waybill-key", $("key").value.trim());
  $("key").value = "";
  enter();
});
$("leave").addEventListener("click", () => {
  sessionStorage.removeItem("waybill-key");
  location.reload();
});

// Files and the editor.

const empty = { name: "new", foreign: false, files: [{ name: "my.rules.yaml", text: "rules: 1\nname: My shop\n" }] };

const open = (f) => {
  folder = f || empty;
  $("folder").value = f ? String(state.folders.indexOf(f)) : "new";
  files = folder.files.map((x) => ({ ...x }));
  problems = [];
  $("order").replaceChildren();
  choices(undefined);
  pick(0);
  changed();
};

const pick = (i, focusTab) => {
  active = i;
  $("text").value = files[i].text;
  $("text").setAttribute("aria-label", files[i].name);
  $("text").scrollTop = $("text").scrollLeft = 0;
  tabs();
  paint();
  if (focusTab) $(`tab-${i}`).focus();
};

const tabs = () => {
  $("tabs").replaceChildren(...files.map((f, i) => {
    const wrong = problems.some((p) => p.file === f.name && p.code[0] === "E");
    const tab = el("button", { type: "button", id: `tab-${i}`, onclick: () => pick(i), tabIndex: i === active ? 0 : -1 }, f.name,
      f.text === folder.files[i].text ? "" : " *", wrong ? el("span", { className: "dot" }, " ●") : "");
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", String(i === active));
    tab.setAttribute("aria-controls", "panel");
    if (wrong) tab.setAttribute("aria-label", `${f.name}, has mistakes`);
    return tab;
  }));
  $("panel").setAttribute("aria-labelledby", `tab-${active}`);
  $("reset").disabled = !files.some((f, i) => f.text !== folder.files[i].text);
};

$("tabs").addEventListener("keydown", (e) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
  if (!step) return;
  e.preventDefault();
  pick((active + step + files.length) % files.length, true);
});

// paint draws line numbers and squiggles behind the text. Columns count characters, as the engine does.
const paint = () => {
  const here = problems.filter((p) => p.file === files[active].name);
  const lines = $("text").value.split("\n");
  const gutter = document.createDocumentFragment(), marks = document.createDocumentFragment();
  lines.forEach((line, n) => {
    const on = here.filter((p) => p.line === n + 1).sort((a, b) => a.column - b.column);
    const worst = on.some((p) => p.code[0] === "E") ? "E" : on.length ? "W" : "";
    gutter.append(el("div", { className: worst }, String(n + 1)));
    const chars = on.length ? Array.from(line) : [];
    let at = 0;
    for (const p of on) {
      const from = Math.min(Math.max(p.column - 1, at), chars.length), to = Math.max(p.end - 1, from + 1);
      marks.append(chars.slice(at, from).join(""), el("span", { className: p.code[0] }, chars.slice(from, to).join("") || " "));
      at = to;
    }
    marks.append(on.length ? chars.slice(at).join("") : line, "\n");
  });
  $("gutter").replaceChildren(gutter);
  $("marks").replaceChildren(marks);
  $("text").setAttribute("aria-invalid", String(here.some((p) => p.code[0] === "E")));
  follow();
};

const follow = () => {
  $("marks").scrollTop = $("gutter").scrollTop = $("text").scrollTop;
  $("marks").scrollLeft = $("text").scrollLeft;
};
$("text").addEventListener("scroll", follow);

$("text").addEventListener("input", () => {
  files[active].text = $("text").value;
  problems = problems.filter((p) => p.file !== files[active].name); // their places no longer hold
  tabs();
  paint();
  changed();
});

// A new line begins where the last one does, as YAML needs it.
$("text").addEventListener("keydown", (e) => {
  if (e.key !== "Enter" || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
  const t = $("text"), before = t.value.slice(0, t.selectionStart);
  const indent = /^ */.exec(before.slice(before.lastIndexOf("\n") + 1))[0];
  if (!indent) return;
  e.preventDefault();
  document.execCommand("insertText", false, "\n" + indent);
});

$("folder").addEventListener("change", (e) => open(state.folders[Number(e.target.value)]));
$("reset").addEventListener("click", () => {
  files = folder.files.map((x) => ({ ...x }));
  pick(active);
  changed();
});
$("copy").addEventListener("click", async () => {
  $("text").select();
  try {
    await navigator.clipboard.writeText($("text").value);
    $("copy").textContent = "Copied";
  } catch {
    $("copy").textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => ($("copy").textContent = "Copy file"), 2000);
});

// position is the offset of a place in a text.
const position = (text, line, column) => {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  return before + Array.from(lines[line - 1] || "").slice(0, column - 1).join("").length;
};

const goTo = (p, fix) => {
  const i = files.findIndex((f) => f.name === p.file);
  if (i < 0) return;
  if (i !== active) pick(i);
  const t = $("text"), from = position(t.value, p.line, p.column), to = position(t.value, p.line, p.end);
  t.focus();
  t.setSelectionRange(from, to);
  if (fix !== undefined) document.execCommand("insertText", false, fix);
  t.scrollTop = Math.max(0, (p.line - 6) * 20);
};

// The order.

const choice = () => {
  const [kind, a, b] = $("order").value.split("\u0000");
  return kind === "order" ? { order: a } : kind === "case" ? { test: a, case: Number(b) } : {};
};

// choices lists the tests of the files and the recent orders; the chosen one stays where it can.
const choices = (cases) => {
  const before = $("order").value;
  const groups = files.filter((f) => f.name.endsWith(".test.yaml")).map((f) => {
    const chosen = choice().test === f.name;
    const names = chosen && cases && cases.length ? cases : casesOf(f.text);
    return el("optgroup", { label: `tests of ${f.name}` }, ...names.map((c, i) =>
      el("option", { value: ["case", f.name, i].join("\u0000") }, (c.state === "failed" ? "✗ " : "") + c.name)));
  });
  const orders = el("optgroup", { label: "recent orders" }, ...state.orders.map((o) =>
    el("option", { value: ["order", o.id].join("\u0000") }, `${o.id} · ${o.location} · ${when(o.at)}`)));
  $("order").replaceChildren(...groups, ...(state.orders.length ? [orders] : []));
  if (before) $("order").value = before;
  if ($("order").selectedIndex < 0) $("order").selectedIndex = 0;
};

// casesOf finds names of tests before the engine has read the file; matrices are counted when it has.
const casesOf = (text) => {
  const names = [...text.matchAll(/^ {0,4}- (?:\{ *)?name: *(.+?)(?:,.*)?$/gm)].map((m) => ({ name: m[1] }));
  return names.length ? names : [{ name: "the first" }];
};

$("order").addEventListener("change", () => changed(true));

// Asking.

const changed = (now) => {
  clearTimeout(timer);
  timer = setTimeout(tryOut, now ? 0 : 250);
};

const tryOut = async () => {
  asking?.abort();
  asking = new AbortController();
  document.body.setAttribute("aria-busy", "true");
  try {
    const answer = await ask("POST", "/console/api/rules/try", { files, foreign: folder.foreign, ...choice() }, asking.signal);
    answered(answer);
  } catch (e) {
    if (e.name === "AbortError") return;
    $("verdict").className = "verdict none";
    $("verdict").textContent = e.message;
    $("result").classList.add("dim");
  }
  document.body.removeAttribute("aria-busy");
};

const answered = (a) => {
  problems = a.problems;
  const errors = problems.filter((p) => p.code[0] === "E").length, hints = problems.length - errors;
  $("count").textContent = errors ? counted(errors, "mistake") : hints ? `none; ${counted(hints, "hint")}` : "none";
  $("problems").replaceChildren(...problems.map(problemItem));
  tabs();
  paint();
  choices(a.cases);
  $("stale").hidden = !errors || !$("result").childElementCount;
  for (const part of ["verdict", "result"]) $(part).classList.toggle("dim", errors > 0);
  if (a.decision) decision(a);
  else if (!errors) {
    $("verdict").className = "verdict";
    $("verdict").textContent = `The rules are good (${counted(a.rules, "rule")}). Choose an order to see what they decide: a test, or one of your recent orders.`;
    $("result").replaceChildren();
  } else if (!$("result").childElementCount) {
    $("verdict").className = "verdict none";
    $("verdict").textContent = "Nothing is decided while there are mistakes.";
  }
  $("foot").className = "foot" + (errors ? " E" : "");
  $("foot").textContent = errors ? `${counted(errors, "mistake")}: line ${problems[0].line}, ${problems[0].sentence}` : $("verdict").firstChild?.textContent || "";
};

const problemItem = (p) => {
  const place = el("button", { type: "button", className: "place", onclick: () => goTo(p) }, `${p.file}:${p.line}:${p.column}`);
  const item = el("li", { className: p.code[0] }, place, " ", el("span", { className: "code" }, p.code), el("p", {}, p.where ? `${p.where}: ` : "", p.sentence));
  if (p.did_you_mean) {
    const fix = el("button", { type: "button", className: "quiet", onclick: () => goTo(p, p.did_you_mean) }, `Did you mean ${p.did_you_mean}?`);
    item.append(fix);
  }
  if (p.hint) item.append(el("p", { className: "soft" }, p.hint));
  return item;
};

// The decision.

const decision = (a) => {
  const d = a.decision, won = d.options.some((o) => o.rank === 1) && !d.notes.some((n) => n.kind === "held");
  $("verdict").className = "verdict " + (won ? "won" : "none");
  const extra = [];
  if (a.recorded) extra.push(el("p", {}, a.recorded === d.sentence ? "The same as was decided then." : `Decided then: ${a.recorded}`));
  if (a.unknown?.length) extra.push(el("p", {}, `The record does not hold ${a.unknown.join(", ")}. Below is what comes of the rest of it.`));
  $("verdict").replaceChildren(d.sentence, ...extra);
  const tests = a.cases.filter((c) => c.state), failed = tests.filter((c) => c.state === "failed");
  const parts = [];
  if (tests.length) {
    parts.push(el("h3", { className: "sub" }, failed.length ? `${failed.length} of ${counted(tests.length, "test")} fail` : `${counted(tests.length, "test")} pass`));
    if (failed.length) {
      const f = (a.failures || []).map((x) => el("li", {}, el("span", { className: "tag failed" }, x.what), `want ${x.want}, got ${x.got}`));
      parts.push(el("ul", { className: "notes" }, ...f, ...failed.map((c) => el("li", {}, el("span", { className: "tag failed" }, "fails"), c.name))));
    }
    const unread = [...new Set(tests.flatMap((c) => c.unread || []))];
    if (unread.length) parts.push(el("p", {}, `Not compared here: ${unread.join(", ")}. waybill rules test compares the explanation with ${unread.length > 1 ? "them" : "it"}.`));
  }
  parts.push(el("h3", { className: "sub" }, "Candidates"), el("ol", { className: "offers" }, ...d.options.map(offer)));
  if (d.notes.length) {
    parts.push(el("h3", { className: "sub" }, "What rules did besides"), el("ul", { className: "notes" },
      ...d.notes.map((n) => el("li", {}, el("span", { className: `tag ${n.kind}` }, n.kind), el("span", {}, n.text)))));
  }
  const opened = new Set([...document.querySelectorAll("#result details[open]")].map((x) => x.dataset.key));
  parts.push(el("h3", { className: "sub" }, "Why, part by part"), ...d.sections.map((s) => sectionItem(s, opened)));
  $("result").replaceChildren(...parts);
};

const offer = (o) => {
  const numbers = [["fee", o.fee], ["cost", o.cost !== o.fee && o.cost], ["charge", o.charge], ["score", o.score]].filter(([, v]) => v);
  const item = el("li", { className: o.out ? "out" : o.rank === 1 ? "first" : "" },
    el("div", { className: "line" }, el("span", { className: "rank" }, o.rank ? `${o.rank}.` : "–"), el("span", { className: "who" }, o.account + (o.service ? `/${o.service}` : "")),
      el("span", { className: "numbers" }, ...numbers.map(([k, v]) => el("span", {}, `${k} `, el("b", {}, v))))));
  if (o.out) item.setAttribute("aria-label", `${o.account} ${o.service || ""} is out`);
  if (o.terms) item.append(el("table", { className: "terms" }, el("tbody", {}, ...o.terms.map((t) => el("tr", {}, el("td", {}, t.text), el("td", {}, t.value))))));
  if (o.why) item.append(el("ul", {}, ...o.why.map((w) => el("li", {}, w))));
  return item;
};

const sectionItem = (s, opened) => {
  const words = s.title.split("  "), key = words[0];
  const pre = el("pre", { tabIndex: 0, "aria-label": key });
  for (const line of s.text.trimEnd().split("\n")) {
    const kind = / = true$/.test(line) ? "yes" : / not evaluated$/.test(line) ? "unseen" : / = false$/.test(line) ? "no" : "";
    pre.append(kind ? el("span", { className: kind }, line) : line, "\n");
  }
  const d = el("details", { open: opened.has(key) }, el("summary", {}, words.slice(0, 2).join(" · ")), pre);
  d.dataset.key = key;
  return d;
};

if (sessionStorage.getItem("waybill-key")) enter();
else show(false);
