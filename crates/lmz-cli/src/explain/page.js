"use strict";
// Colours the text and says what each token cost. A row's spans are made when it comes near the window, so that a long
// page opens at once. Places are in UTF-16 units of the shown text, in which a line end counts 1 and a CR before it 2.
(() => {
  const $ = (id) => document.getElementById(id);
  window.addEventListener("error", (e) => { document.documentElement.dataset.error = e.message; });

  // The numbers that data.rs has packed.
  const packed = Uint8Array.from(atob($("data").textContent.trim()), (c) => c.charCodeAt(0));
  let at = 0;
  const number = () => {
    for (let n = 0, unit = 1; ; unit *= 128) {
      const byte = packed[at++];
      n += (byte & 127) * unit;
      if (byte < 128) return n;
    }
  };
  const utf8 = new TextDecoder();
  const strings = Array.from({ length: number() }, () => { const n = number(); return utf8.decode(packed.subarray(at, at += n)); });
  const escapes = new Set();
  for (let i = number(), unit = 0; i > 0; i--) escapes.add(unit += number());
  const count = number();
  const column = () => new Float64Array(count);
  // Of each cell: where its text and its bytes begin, how many tokens it has, bits (NaN: none) and where its guesses are.
  const begins = new Float64Array(count + 1), bytes = new Float64Array(count + 1), tokens = column(), guesses = column();
  const costs = { both: column(), model: column(), contexts: column() };
  for (let i = 0; i < count; i++) {
    begins[i + 1] = begins[i] + number();
    bytes[i + 1] = bytes[i] + number();
    tokens[i] = number();
    costs.both[i] = number() / 100;
    const model = number(), contexts = number();
    costs.model[i] = model ? (model - 1) / 100 : NaN;
    costs.contexts[i] = contexts ? (contexts - 1) / 100 : NaN;
    guesses[i] = at;
    if (model) for (let n = 2 * number(); n > 0; n--) number();
  }

  // The last i with list[i] <= x.
  const find = (list, x) => {
    let low = 0, high = list.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (list[middle] <= x) low = middle; else high = middle - 1;
    }
    return low;
  };

  const text = $("text"), rows = [...text.querySelectorAll("p")];
  const tails = { r: "\\r\u21b5", o: "" };
  const texts = rows.map((p) => p.textContent + (tails[p.className] ?? "\u21b5"));
  const places = new Float64Array(rows.length + 1);
  texts.forEach((t, i) => { places[i + 1] = places[i] + t.length; });
  const rowOf = (unit) => find(places.subarray(0, rows.length), unit);
  const cellOf = (unit) => find(begins.subarray(0, count), unit);
  const shown = (from, to) => {
    let out = "";
    for (let row = rowOf(from); row < rows.length && places[row] < to; row++)
      out += texts[row].slice(Math.max(0, from - places[row]), to - places[row]);
    return out;
  };

  const limits = [0.25, 0.5, 1, 1.5, 2, 3, 4, 6];
  let view = "both";
  const colour = (cell) => {
    const rate = costs[view][cell] / (bytes[cell + 1] - bytes[cell]);
    return isNaN(rate) ? "cx" : "c" + limits.filter((limit) => rate >= limit).length;
  };

  // What one escape stands for: its bytes, and its length in the text.
  const encoder = new TextEncoder();
  const escape = (text) => {
    if (text.startsWith("\\r")) return [[13], 2];
    const hex = /^\\x([0-9a-f]{2})/.exec(text), point = /^\\u\{([0-9a-f]+)\}/.exec(text);
    if (hex) return [[parseInt(hex[1], 16)], 4];
    return [[...encoder.encode(String.fromCodePoint(parseInt(point[1], 16)))], point[0].length];
  };
  const hex = (from, to) => {
    const out = [];
    for (let unit = from; unit < to; ) {
      const row = rowOf(unit), rest = texts[row].slice(unit - places[row]), tail = unit - places[row] >= rows[row].dataset.units;
      let [raw, length] = [[], 1];
      if (tail && rest[0] === "\u21b5") raw = [10];
      else if (tail || escapes.has(unit)) [raw, length] = escape(rest);
      else {
        const char = String.fromCodePoint(rest.codePointAt(0));
        [raw, length] = [encoder.encode(char), char.length];
      }
      out.push(...raw);
      unit += length;
    }
    return out.map((b) => b.toString(16).padStart(2, "0")).join(" ");
  };

  // Makes the spans of a row.
  const done = new Set();
  const paint = (row) => {
    if (done.has(row)) return;
    done.add(row);
    const p = rows[row], length = +(p.dataset.units = p.textContent.length), out = document.createDocumentFragment();
    const first = cellOf(places[row]);
    p._first = first;
    for (let cell = first; cell < count && begins[cell] < places[row + 1]; cell++) {
      const from = Math.max(begins[cell], places[row]) - places[row];
      const to = Math.min(begins[cell + 1], places[row + 1]) - places[row];
      const span = document.createElement("span");
      span.className = colour(cell);
      span._cell = cell;
      let plain = from;
      const flush = (end) => { if (end > plain) span.append(texts[row].slice(plain, end)); };
      for (let i = from; escapes.size && i < Math.min(to, length); i++)
        if (escapes.has(places[row] + i)) {
          flush(i);
          const mark = document.createElement("em"), size = escape(texts[row].slice(i))[1];
          mark.textContent = texts[row].slice(i, i + size);
          span.append(mark);
          plain = i + size;
        }
      flush(Math.min(to, length));
      if (to > length) {
        const mark = document.createElement("u");
        mark.textContent = texts[row].slice(Math.max(from, length), to);
        span.append(mark);
      }
      out.append(span);
    }
    p.replaceChildren(out);
  };
  const sections = [...text.querySelectorAll("section")];
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries)
      if (isIntersecting) {
        near.unobserve(target);
        for (const p of target.children) paint(+p._row);
      }
  }, { rootMargin: "1200px" });
  rows.forEach((p, i) => { p._row = i; });
  sections.forEach((s) => near.observe(s));
  window.addEventListener("beforeprint", () => rows.forEach((_, i) => paint(i)));

  // The spans of a cell: one in each row that it reaches into.
  const spans = (cell) => {
    const out = [];
    for (let row = rowOf(begins[cell]); row < rows.length && (places[row] < begins[cell + 1]); row++) {
      paint(row);
      out.push(rows[row].children[cell - rows[row]._first]);
    }
    return out.filter(Boolean);
  };

  const tip = $("tip");
  const element = (name, content, className) => {
    const e = document.createElement(name);
    if (className) e.className = className;
    e.append(...[content].flat());
    return e;
  };
  const bar = (share, className) => {
    const line = element("i", "", className);
    line.style.width = Math.max(0, Math.min(100, 100 * share)) + "%";
    return element("td", line, "bar");
  };
  const readable = (text) => text.replace(/ /g, "\u2423").replace(/\t/g, "\u21e5");
  const fill = (cell) => {
    const own = shown(begins[cell], begins[cell + 1]), size = bytes[cell + 1] - bytes[cell];
    const codes = hex(begins[cell], begins[cell + 1]);
    const where = `${size === 1 ? "byte" : size + " bytes at"} ${bytes[cell]}` + (tokens[cell] > 1 ? `, ${tokens[cell]} tokens` : "");
    const lines = [["both", "as coded"], ["model", "model alone"], ["contexts", "context mixing alone"]]
      .filter(([key], i) => i === 0 || !isNaN(costs[key][cell]));
    const most = Math.max(8, ...lines.map(([key]) => costs[key][cell]));
    const table = element("table", lines.map(([key, name]) => element("tr", [element("td", name),
      element("td", costs[key][cell].toFixed(2) + " bits", "n"), bar(costs[key][cell] / most, key)])), "costs");
    tip.replaceChildren(element("b", readable(own)), element("div", `${codes} \u00b7 ${where}`, "soft"), table);
    if (!isNaN(costs.model[cell])) {
      at = guesses[cell];
      const told = Array.from({ length: number() }, () => [strings[number()], number() / 10]);
      const head = element("th", "the model\u2019s best guesses");
      head.colSpan = 3;
      if (told.length) tip.append(element("table", [element("tr", head),
        ...told.map(([guess, p]) => element("tr", [element("td", readable(guess) + (guess === own ? " \u2713" : "")),
          element("td", p.toFixed(1) + "%", "n"), bar(p / 100)], "guess" + (guess === own ? " hit" : "")))]));
      else tip.append(element("div", "The model holds no token likelier than 1%.", "soft"));
    }
  };

  let on = -1, pinned = false;
  const hide = () => {
    if (on >= 0) spans(on).forEach((s) => s.classList.remove("on"));
    tip.hidden = true;
    on = -1;
    pinned = false;
  };
  const show = (cell) => {
    if (on >= 0) spans(on).forEach((s) => s.classList.remove("on"));
    on = cell;
    const all = spans(cell);
    all.forEach((s) => s.classList.add("on"));
    fill(cell);
    tip.hidden = false;
    const box = all[0].getClientRects()[0] ?? all[0].getBoundingClientRect(), size = tip.getBoundingClientRect();
    const below = box.bottom + size.height + 12 < innerHeight || box.top < size.height + 12;
    tip.style.left = scrollX + Math.max(4, Math.min(box.left, document.documentElement.clientWidth - size.width - 4)) + "px";
    tip.style.top = scrollY + (below ? box.bottom + 6 : box.top - size.height - 6) + "px";
    return all[0];
  };
  const go = (cell) => show(cell).scrollIntoView({ block: "nearest" });

  const cellAt = (e) => e.target.closest?.("#text span")?._cell;
  text.addEventListener("pointerover", (e) => {
    const cell = cellAt(e);
    if (e.pointerType !== "touch" && !pinned && cell !== undefined) show(cell);
  });
  text.addEventListener("pointerleave", () => { if (!pinned) hide(); });
  document.addEventListener("click", (e) => {
    const cell = cellAt(e);
    if (cell === undefined || (pinned && cell === on)) hide();
    else {
      show(cell);
      pinned = true;
    }
  });
  text.addEventListener("focus", () => {
    // By the keyboard: a click shows what it has met.
    if (on < 0 && count && text.matches(":focus-visible")) go(cellOf(places[rows.findIndex((p) => p.getBoundingClientRect().bottom > 60)] ?? 0));
  });
  text.addEventListener("blur", hide);
  text.addEventListener("keydown", (e) => {
    const last = count - 1;
    if (e.key === "Escape") hide();
    else if (!count || e.ctrlKey || e.metaKey || e.altKey) return;
    else if (e.key === "ArrowRight") go(Math.min(on + 1, last));
    else if (e.key === "ArrowLeft") go(Math.max(on - 1, 0));
    else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      const row = rowOf(on < 0 ? 0 : begins[on]), next = Math.max(0, Math.min(rows.length - 1, row + (e.key === "ArrowDown" ? 1 : -1)));
      go(cellOf(places[next] + Math.min((on < 0 ? 0 : begins[on]) - places[row], texts[next].length - 1)));
    } else return;
    pinned = on >= 0;
    e.preventDefault();
  });

  document.querySelectorAll("input[name=view]").forEach((input) => input.addEventListener("change", () => {
    view = input.value;
    for (const row of done) for (const span of rows[row].children) {
      const marked = span.classList.contains("on");
      span.className = colour(span._cell) + (marked ? " on" : "");
    }
  }));

  // A click on the curve goes to that place of the text.
  const curve = $("curve"), mark = $("mark");
  const place = (e) => {
    const box = curve.getBoundingClientRect(), { left, right, bytes: all } = curve.dataset;
    const x = (e.clientX - box.left) / box.width * curve.viewBox.baseVal.width;
    return [x, Math.max(0, Math.min(1, (x - left) / (right - left))) * all];
  };
  curve.addEventListener("pointermove", (e) => mark.setAttribute("d", `M${place(e)[0]} 0V200`));
  curve.addEventListener("pointerleave", () => mark.setAttribute("d", ""));
  curve.addEventListener("click", (e) => {
    if (!count) return;
    e.stopPropagation();
    show(find(bytes.subarray(0, count), place(e)[1])).scrollIntoView({ block: "center" });
    show(on);
    pinned = true;
  });

  // page.html#byte=123 shows what byte 123 cost.
  const wanted = /^#byte=(\d+)$/.exec(location.hash);
  if (wanted && count) {
    show(find(bytes.subarray(0, count), +wanted[1])).scrollIntoView({ block: "center" });
    show(on);
    pinned = true;
  }
  document.documentElement.dataset.ready = count;
})();
