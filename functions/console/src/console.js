// Shows instants in the reader's time zone, with UTC beside them.
function showLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const instant = new Date(time.dateTime);
    if (Number.isNaN(instant.getTime())) continue;
    const local = instant.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    time.dataset.local = local;
    time.textContent = `${local} (${time.textContent})`;
  }
}

// The reader's time zone is that of a new export, unless they have chosen another.
function chooseTimeZone() {
  const zone = document.querySelector("input[name=zone][data-default]");
  if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || zone.value;
}

document.addEventListener("DOMContentLoaded", () => {
  showLocalTimes(document);
  chooseTimeZone();
});
document.addEventListener("htmx:afterSwap", (event) => showLocalTimes(event.target.parentNode || document));
