// The threshold between pairs follows the hand: counts at once, pictures when it rests. Without this the form's button does it.
"use strict";
const line = document.getElementById("at");
if (line) {
  const numbers = (name) => line.dataset[name].split(" ").map(Number);
  const pairs = numbers("pairs"), strangers = numbers("strangers"), low = Number(line.dataset.low);
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const share = (part, whole) => (whole ? (100 * part / whole).toFixed(1) + " %" : "–");
  const told = document.getElementById("passes");
  let waiting = 0, asked = 0;

  const count = () => {
    const step = Math.round((Number(line.value) - low) / 0.01);
    const above = sum(pairs.slice(step)), all = sum(pairs), others = sum(strangers);
    told.textContent = `At ${Number(line.value).toFixed(2)}, ${above.toLocaleString("en")} pairs pass (${share(above, all)}) ` +
      `and ${(all - above).toLocaleString("en")} do not.` +
      (others ? ` Of captions of other pairs ${share(sum(strangers.slice(step)), others)} would pass.` : "");
  };
  const show = async () => {
    const mine = ++asked;
    const query = new URLSearchParams(new FormData(document.getElementById("line-form")));
    const address = `${location.pathname}?${query}`;
    const answer = await fetch(address);
    if (!answer.ok || mine !== asked) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return;
    document.getElementById("around").replaceWith(page.getElementById("around"));
    history.replaceState(null, "", address);
  };
  line.addEventListener("input", () => {
    count();
    clearTimeout(waiting);
    waiting = setTimeout(show, 250);
  });
  count();
}
