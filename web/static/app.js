// What pages do by themselves where scripts run: they follow changes over server-sent events, a log grows and
// is followed at its end, lines are marked, keys lead on. Without scripts every page works and is reloaded by hand.
"use strict";

const main = document.querySelector("main");
const log = document.querySelector(".log[data-offset]");
const grows = log && log.hasAttribute("data-tail");
const maxShown = 6000; // lines of a log that stay on a page that follows it

/* The parts of a page that change. */

// named finds again what had the focus before a part was renewed.
function named(e) {
  if (e.id) return "#" + CSS.escape(e.id);
  if (e.matches("a[href]")) return `a[href="${CSS.escape(e.getAttribute("href"))}"]`;
  const form = e.closest("form[action]");
  return form && e.matches("button") ? `form[action="${CSS.escape(form.getAttribute("action"))}"] button` : null;
}

async function reload() {
  let r;
  try { r = await fetch(location.href, { headers: { Accept: "text/html" } }); } catch { return; }
  if (r.redirected && new URL(r.url).pathname === "/users/sign_in") { location.reload(); return; }
  if (!r.ok) return;
  const next = new DOMParser().parseFromString(await r.text(), "text/html");
  document.title = next.title;
  const icon = next.querySelector("link[rel=icon]");
  if (icon) document.querySelector("link[rel=icon]").href = icon.href;
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = next.querySelector(`[data-part="${part.dataset.part}"]`);
    const typing = part.contains(document.activeElement?.closest("input, select, textarea"));
    if (!fresh || typing || part.querySelector("details.confirm[open]") || fresh.innerHTML === part.innerHTML) continue;
    const focus = part.contains(document.activeElement) ? named(document.activeElement) : null;
    part.innerHTML = fresh.innerHTML;
    if (focus) part.querySelector(focus)?.focus();
  }
  const was = main.dataset.live;
  main.dataset.live = next.querySelector("main").dataset.live || "";
  if (was && !main.dataset.live) {
    if (grows) { location.reload(); return; } // it ended while nobody listened: the rest of its log is missing here
    stop();
    chip("");
  }
  times();
}

/* Following changes: while the page is looked at, and again after every interruption. */

let source = null, retry = null, missing = null, waited = 0, reloading = null;
let seen = grows ? { offset: log.dataset.offset, line: log.dataset.line } : null;

function chip(text) {
  let c = document.querySelector(".chip");
  if (!text) { c?.remove(); return; }
  if (!c) {
    c = document.createElement("p");
    c.className = "chip";
    c.setAttribute("role", "status");
    document.body.append(c);
  }
  c.textContent = text;
}

function stop() {
  clearTimeout(retry);
  clearTimeout(missing);
  source?.close();
  source = null;
}

function listen() {
  stop();
  if (!main.dataset.live || document.hidden) return;
  const address = new URL(main.dataset.live, location.href);
  if (seen) {
    address.searchParams.set("offset", seen.offset);
    address.searchParams.set("line", seen.line);
  }
  source = new EventSource(address);
  source.addEventListener("open", () => { waited = 0; chip(""); });
  source.addEventListener("change", () => {
    clearTimeout(reloading);
    reloading = setTimeout(reload, 150);
  });
  source.addEventListener("log", (m) => {
    if (!seen) return;
    [seen.offset, seen.line] = m.lastEventId.split("-");
    addLog(JSON.parse(m.data));
  });
  source.addEventListener("done", () => { stop(); main.dataset.live = ""; follower?.remove(); reload(); });
  source.addEventListener("error", () => {
    if (!main.dataset.live) return;
    clearTimeout(missing);
    missing = setTimeout(() => { if (source?.readyState !== EventSource.OPEN) chip("Reconnecting…"); }, 4000);
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries by itself
    waited = Math.min(30, Math.max(1, waited * 2));
    retry = setTimeout(() => { reload().then(listen); }, waited * 1000);
  });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) stop(); // a browser has few connections for all its tabs
  else if (main.dataset.live) reload().then(listen);
});
addEventListener("pagehide", stop);
addEventListener("pageshow", (e) => { if (e.persisted) listen(); });

/* A log that grows. */

const stack = log ? [...log.querySelectorAll("details[data-running]")] : [];
let following = true;
let shown = log ? log.querySelectorAll(".l").length : 0;

const two = (n) => String(n).padStart(2, "0");
function took(seconds) {
  const s = Math.max(0, seconds);
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${two(Math.floor(s / 60))}:${two(s % 60)}`;
}

function addLine(e) {
  const old = document.getElementById("L" + e.n);
  const l = old || document.createElement("div");
  l.className = "l";
  l.id = "L" + e.n;
  if (e.at) l.dataset.at = e.at;
  l.innerHTML = `<a href="?at=${e.n}#L${e.n}">${e.n}</a><span>${e.html}</span>`; // made of escaped parts by the server
  if (old) return;
  (stack.at(-1) || log).append(l);
  shown++;
}

function addLog(events) {
  const before = following;
  for (const e of events) {
    if (e.t === "line") { addLine(e); continue; }
    if (e.t === "start") {
      const d = document.createElement("details");
      d.open = !e.collapsed;
      d.dataset.name = e.name;
      d.dataset.began = e.u;
      d.dataset.running = "";
      const s = document.createElement("summary");
      s.innerHTML = `<span>${e.html}</span><span class="took"></span>`;
      d.append(s);
      (stack.at(-1) || log).append(d);
      stack.push(d);
      continue;
    }
    if (!stack.some((d) => d.dataset.name === e.name)) continue;
    let d;
    do {
      d = stack.pop();
      delete d.dataset.running;
      if (d.dataset.name !== e.name) d.open = true;
    } while (d.dataset.name !== e.name);
    d.querySelector(".took").textContent = e.took || took(e.u - d.dataset.began);
  }
  if (before) {
    for (const l of shown > maxShown ? [...log.querySelectorAll(".l")].slice(0, shown - maxShown + 1000) : []) { l.remove(); shown--; }
    scrollTo(0, document.body.scrollHeight);
  }
  const count = document.querySelector("[data-lines]");
  if (count && events.length) count.textContent = `${seen.line} lines`;
}

const follower = grows && main.dataset.live ? document.querySelector(".follow") : null;
if (follower) {
  follower.hidden = false;
  const show = () => {
    following = innerHeight + scrollY >= document.body.scrollHeight - 60;
    follower.textContent = following ? "Following ↓" : "New lines ↓";
  };
  addEventListener("scroll", show, { passive: true });
  follower.addEventListener("click", () => { following = true; scrollTo(0, document.body.scrollHeight); });
  if (!location.hash) scrollTo(0, document.body.scrollHeight);
  show();
}

/* Marked lines: #L5 and #L5-L9. */

function range() {
  const m = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
  return m ? [Number(m[1]), Number(m[2] || m[1])].sort((a, b) => a - b) : null;
}

function mark() {
  const r = range();
  if (!log || !r) return;
  if (!document.getElementById("L" + r[0]) && new URLSearchParams(location.search).get("at") !== String(r[0])) {
    location.replace(`?at=${r[0]}${location.hash}`);
    return;
  }
  for (const l of log.querySelectorAll(".marked")) l.classList.remove("marked");
  for (let n = r[0]; n <= r[1] && n < r[0] + maxShown; n++) document.getElementById("L" + n)?.classList.add("marked");
  const first = document.getElementById("L" + r[0]);
  for (let d = first?.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
  first?.scrollIntoView({ block: "center" });
}

log?.addEventListener("click", (e) => {
  const a = e.target.closest(".l > a");
  if (!a || e.ctrlKey || e.metaKey) return;
  e.preventDefault();
  const n = Number(a.textContent), r = range();
  history.replaceState(null, "", e.shiftKey && r ? `#L${Math.min(r[0], n)}-L${Math.max(r[0], n)}` : `#L${n}`);
  mark();
});
addEventListener("hashchange", mark);
mark();

/* Buttons that need scripts. */

function copied(b, text) {
  const done = () => { b.textContent = "Copied"; };
  if (navigator.clipboard) { navigator.clipboard.writeText(text).then(done); return; }
  const area = document.createElement("textarea"); // plain HTTP has no clipboard
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  done();
}
for (const c of document.querySelectorAll(".copy")) {
  const b = document.createElement("button");
  b.className = "plain slim";
  b.type = "button";
  b.textContent = "Copy";
  b.addEventListener("click", () => copied(b, c.querySelector("code").textContent));
  c.append(b);
}
for (const b of document.querySelectorAll("button[data-folds]")) {
  b.hidden = false;
  b.addEventListener("click", () => {
    for (const d of document.querySelectorAll(".log details")) d.open = b.dataset.folds === "open";
  });
}
for (const b of document.querySelectorAll("button[data-shows]")) {
  const name = b.dataset.shows;
  b.hidden = false;
  const set = (on) => { log.classList.toggle(name, on); b.setAttribute("aria-pressed", on); localStorage.setItem("log-" + name, on ? "1" : ""); };
  set(localStorage.getItem("log-" + name) === "1");
  b.addEventListener("click", () => set(!log.classList.contains(name)));
}
function times() {
  for (const t of document.querySelectorAll("time[datetime]")) t.title = new Date(t.dateTime).toLocaleString();
}
times();
/* The current tab comes into the view of its row alone: the page stays where its log put it. */
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const row = tab.closest(".tabs"), at = tab.getBoundingClientRect(), frame = row.getBoundingClientRect();
  row.scrollLeft += at.left - frame.left - (frame.width - at.width) / 2;
}

/* The line of commands: those before by the arrow keys, completion by Tab, jobs to click. */

const say = document.querySelector("input[data-history]");
if (say) {
  const before = JSON.parse(say.dataset.history || "[]"), chips = [...document.querySelectorAll("[data-say]")];
  let place = -1, typed = "";
  document.querySelector(".keyshint").hidden = false;
  const put = (text) => { say.value = text; say.setSelectionRange(text.length, text.length); };
  const fitting = () => chips.filter((c) => c.dataset.say.startsWith(say.value) || `run ${say.value}` === c.dataset.say.slice(0, say.value.length + 4));
  const narrow = () => {
    const fit = say.value.trim() ? fitting() : chips;
    const some = fit.length ? fit : chips;
    for (const c of chips) {
      c.parentElement.hidden = !some.includes(c);
      c.classList.toggle("first", Boolean(say.value) && c === fit[0]);
    }
  };
  say.addEventListener("input", () => { place = -1; narrow(); });
  say.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Tab" && !e.shiftKey && say.value) {
      const to = fitting()[0]?.dataset.say;
      if (!to || to === say.value) return;
      e.preventDefault();
      put(to);
      narrow();
    } else if (e.key === "ArrowUp" || e.key === "ArrowDown") {
      if (!before.length) return;
      e.preventDefault();
      if (place < 0) typed = say.value;
      place = Math.min(before.length - 1, Math.max(-1, place + (e.key === "ArrowUp" ? 1 : -1)));
      put(place < 0 ? typed : before[place]);
    }
  });
  for (const c of chips) {
    c.addEventListener("click", (e) => {
      if (e.ctrlKey || e.metaKey) return;
      e.preventDefault();
      put(c.dataset.say);
      say.focus();
    });
  }
}

/* A command to begin with, also in what came while the page was open. */

document.addEventListener("click", (e) => {
  const from = e.target.closest("a[data-put]");
  if (!from || !say || e.ctrlKey || e.metaKey) return;
  e.preventDefault();
  say.value = from.dataset.put;
  say.scrollIntoView({ block: "center" });
  say.focus();
  say.setSelectionRange(say.value.length, say.value.length);
});

/* Keys. */

const help = document.querySelector("dialog.keys");
let failure = -1;
const keys = {
  "?": () => help?.showModal(),
  "/": () => (say || document.querySelector("input[name=q], input[name=search], input[name=ref]"))?.focus(),
  f: () => {
    const all = [...document.querySelectorAll(".job:has(> .status.failed) > a, td .status.failed ~ a, tr:has(.status.failed) td a")];
    if (all.length) all[failure = (failure + 1) % all.length].focus();
  },
  G: () => scrollTo(0, document.body.scrollHeight),
  g: (second) => {
    if (second === "g") scrollTo(0, 0);
    else document.querySelector(`[data-key="${CSS.escape(second)}"]`)?.click();
  },
};
let first = "";
addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, select, textarea, dialog")) return;
  if (first === "g") { first = ""; keys.g(e.key); return; }
  if (e.key === "g") { first = "g"; return; }
  if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
});

listen();
