// The demonstration's page: a small site with the web snippet, and beside it what Scorer makes of the visitor.
"use strict";
window.scorer = window.scorer || [];

const $ = (id) => document.getElementById(id);
const all = (selector) => document.querySelectorAll(selector);
const kept = (name) => {
  try {
    return localStorage.getItem("scorer." + name);
  } catch {
    return null;
  }
};
const tell = (...call) => scorer.push(call);
const say = (words) => ($("said").textContent = words);

// -- the site --------------------------------------------------------------------------------------------

function show() {
  const found = [...all("section")].find((one) => one.dataset.path === location.pathname);
  for (const one of all("section")) one.hidden = one !== (found || document.querySelector('[data-path=""]'));
  document.title = (found ? found.dataset.title + " · " : "") + "Tallgrass";
  for (const one of all("nav a")) one.toggleAttribute("aria-current", one.pathname === location.pathname);
  say("");
}

function go(path) {
  if (path === location.pathname) return;
  history.pushState({}, "", path);
  show();
}

addEventListener("popstate", show);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link && link.origin === location.origin && !("whole" in link.dataset) && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    go(link.pathname);
    scrollTo(0, 0);
  }
  const button = event.target.closest("button");
  if (!button) return;
  const { track, form, said, go: to, meeting: what } = button.dataset;
  if (track) tell("track", track, JSON.parse(said));
  if (track === "Trial Started") for (const one of all(`[data-track="${track}"]`)) one.disabled = kept("consent") === "1";
  if (form) tell("form", form, JSON.parse(said));
  if (what) meeting(what);
  if (track || form) (to ? go(to) : 0, say(kept("consent") === "1" ? "Told." : "Not told: you have not agreed to it."));
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.id === "meeting") meeting("book");
  else say(event.target.dataset.thanks);
});

async function meeting(what) {
  const email = document.querySelector("#meeting input").value;
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ what, email }) };
  const answer = await fetch("/meeting", options).catch(() => ({ ok: false }));
  if (!answer.ok) return say("That did not work. Is this an e-mail address?");
  $("meeting").hidden = what !== "cancel";
  $("booked").hidden = what === "cancel";
  say({ book: "Booked.", move: "Moved to the day after.", cancel: "Cancelled." }[what]);
}

// -- consent ---------------------------------------------------------------------------------------------

function asked() {
  const agreed = kept("consent") === "1";
  $("agreed").hidden = !agreed;
  if (agreed) $("consent").hidden = true;
}

const answered = (given) => {
  tell("consent", given);
  $("consent").hidden = given;
  asked();
  say(given ? "" : "Nothing is kept of you in this browser, and nothing is sent.");
};
$("yes").onclick = () => answered(true);
$("no").onclick = () => answered(false);
$("withdraw").onclick = () => answered(false);
$("reset").onclick = () => {
  tell("reset");
  for (const one of all("button")) one.disabled = false;
  say("You are somebody new. Do something.");
};

// -- the score -------------------------------------------------------------------------------------------

let before = {};

function cell(kind, text, inside) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (inside) made.append(inside);
  return made;
}

function line(one) {
  const row = document.createElement("tr");
  row.append(cell("td", one.rule, one.note && cell("small", one.note)), cell("td", one.points));
  row.className = one.points.startsWith("-") ? "minus" : "";
  if (before.lines && (before.lines.find((old) => old.rule === one.rule) || {}).points !== one.points) row.classList.add("fresh");
  return row;
}

function item(what, when) {
  const made = document.createElement("li");
  made.append(cell("span", what));
  if (when) made.append(cell("span", when));
  return made;
}

function ago(at) {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
  if (seconds < 10) return "just now";
  return seconds < 60 ? seconds - (seconds % 10) + " s ago" : seconds < 3600 ? Math.round(seconds / 60) + " min ago" : Math.round(seconds / 3600) + " h ago";
}

function render(now) {
  const known = now.known;
  if (known && before.known && now.points !== before.points) {
    $("total").className = "";
    void $("total").offsetWidth; // or the animation would not start again
    $("total").className = now.points > before.points ? "up" : "down";
  }
  $("total").textContent = known ? now.total : "–";
  $("bar").style.width = (known ? now.share * 100 : 0) + "%";
  $("verdict").textContent = known ? now.verdict : nobody();
  $("ledger").hidden = !known || !now.lines.length;
  $("nothing").hidden = !$("ledger").hidden;
  $("ahead").hidden = !known || !now.next.length;
  $("history").hidden = !known || !now.seen.length;
  $("lead").hidden = !known;
  if (known) {
    $("summed").textContent = now.total;
    $("ledger").tBodies[0].replaceChildren(...now.lines.map(line));
    document.querySelector("#ahead ul").replaceChildren(...now.next.map((words) => item(words)));
    document.querySelector("#history ol").replaceChildren(...now.seen.map(([at, words]) => item(words, ago(at))));
    $("lead").textContent = now.who;
  }
  before = now;
}

function nobody() {
  if (navigator.globalPrivacyControl) return "Your browser says Global Privacy Control: nothing is sent.";
  if (kept("consent") !== "1") return "Nobody knows you yet: you have not agreed to it.";
  return "You are new here. Do something.";
}

let shown = "";
async function look() {
  let text;
  try {
    const answer = await fetch("/score?visitor=" + encodeURIComponent(kept("id") || ""));
    text = await answer.text();
    $("live").className = "";
    $("live").textContent = "live";
  } catch {
    $("live").className = "away";
    $("live").textContent = "the demonstration has ended";
  }
  asked();
  const now = text ? JSON.parse(text) : before;
  // Ages grow, so that it is drawn anew now and then although nothing has happened.
  const drawn = JSON.stringify([now, kept("consent"), Math.floor(Date.now() / 1e4)]);
  if (!now.busy && drawn !== shown) {
    shown = drawn;
    render(now);
  }
  setTimeout(look, document.hidden ? 2000 : 500);
}

show();
asked();
look();
