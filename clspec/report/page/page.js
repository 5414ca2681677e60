"use strict";
// The page is whole without this: it only sorts and filters tables, and opens what is folded before it is printed.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replace(/^[^0-9+.-]*/, ""));
    return [Number.isNaN(number) ? Infinity : number, text];
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const sorted = [...rows].sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        return sign * (x[0] === y[0] || head.dataset.as === "text" ? x[1].localeCompare(y[1], "en", { numeric: true }) : x[0] - y[0]);
      });
      body.append(...sorted);
      table.classList.add("sorted");
    });
  });
  const label = document.createElement("label");
  label.className = "filter";
  label.append("Show rows with ");
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "fail, seed, scenario …";
  label.append(input);
  const count = document.createElement("output");
  label.append(" ", count);
  const tell = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
  };
  input.addEventListener("input", tell);
  table.closest(".scroll").before(label);
}
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
