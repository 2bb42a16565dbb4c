// What pages do by themselves where scripts run: they follow changes over server-sent events, a log grows and
// is followed at its end, and addresses are copied. Without scripts every page works and is reloaded by hand.
"use strict";

const live = document.querySelector("[data-live]");
const log = document.querySelector(".log[data-offset]");

function reload() {
  fetch(location.href, { headers: { Accept: "text/html" } }).then((r) => (r.ok ? r.text() : null)).then((text) => {
    if (!text) return;
    const next = new DOMParser().parseFromString(text, "text/html");
    document.title = next.title;
    for (const part of document.querySelectorAll("[data-part]")) {
      const fresh = next.querySelector(`[data-part="${part.dataset.part}"]`);
      if (fresh && !part.contains(document.activeElement?.closest("form"))) part.innerHTML = fresh.innerHTML;
    }
    const still = next.querySelector("[data-live]");
    if (!still && source) { source.close(); source = null; }
  }).catch(() => {});
}

let stack = [];
let following = true;

function container() { return stack.length ? stack[stack.length - 1] : log; }

function addLog(events) {
  const before = following;
  for (const e of events) {
    if (e.t === "start") {
      const d = document.createElement("details");
      d.open = !e.collapsed;
      d.dataset.name = e.name;
      const s = document.createElement("summary");
      s.innerHTML = `<span>${e.html}</span><span class="took"></span>`;
      d.append(s);
      container().append(d);
      stack.push(d);
    } else if (e.t === "end") {
      while (stack.length && stack[stack.length - 1].dataset.name !== e.name) stack.pop();
      const d = stack.pop();
      if (d) d.querySelector(".took").textContent = e.took;
    } else {
      const l = document.createElement("div");
      l.className = "l";
      l.id = "L" + e.n;
      l.innerHTML = `<a href="?at=${e.n}#L${e.n}">${e.n}</a><span>${e.html}</span>`;
      container().append(l);
    }
  }
  if (before) window.scrollTo(0, document.body.scrollHeight);
}

let source = null;
if (live) {
  let address = live.dataset.live;
  if (log) {
    for (const d of log.querySelectorAll("details[data-running]")) stack.push(d);
    address += `?offset=${log.dataset.offset}&line=${log.dataset.line}`;
    if (!location.hash) window.scrollTo(0, document.body.scrollHeight);
  }
  source = new EventSource(address);
  let waiting = null;
  source.addEventListener("change", () => {
    clearTimeout(waiting);
    waiting = setTimeout(reload, 150);
  });
  source.addEventListener("log", (m) => addLog(JSON.parse(m.data)));
  source.addEventListener("done", () => { source.close(); source = null; reload(); });
}

const button = document.querySelector(".follow");
if (button && log && live) {
  button.hidden = false;
  const show = () => {
    following = window.innerHeight + window.scrollY >= document.body.scrollHeight - 60;
    button.textContent = following ? "Following ↓" : "Follow ↓";
  };
  addEventListener("scroll", show, { passive: true });
  button.addEventListener("click", () => { following = true; window.scrollTo(0, document.body.scrollHeight); });
  show();
}

for (const c of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) break;
  const b = document.createElement("button");
  b.className = "plain slim";
  b.type = "button";
  b.textContent = "Copy";
  b.addEventListener("click", () => navigator.clipboard.writeText(c.querySelector("code").textContent).then(() => { b.textContent = "Copied"; }));
  c.append(b);
}
for (const b of document.querySelectorAll("button[data-folds]")) {
  b.hidden = false;
  b.addEventListener("click", () => {
    const open = b.dataset.folds === "open";
    for (const d of document.querySelectorAll(".log details")) d.open = open;
  });
}
