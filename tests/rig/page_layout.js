// What a reader would not enjoy about the page, one line each.
(() => {
  const found = [];
  const wide = document.documentElement.clientWidth;
  const name = (node) => {
    const kind = node.getAttribute("class");
    return `<${node.tagName.toLowerCase()}${kind ? "." + kind : ""}> ${node.textContent.trim().slice(0, 50)}`;
  };
  const shown = [...document.querySelectorAll("body *")].filter((node) => node.getClientRects().length);
  const box = (node) => node.getBoundingClientRect();

  if (document.documentElement.scrollWidth > wide) found.push("the page is wider than the window");
  for (const node of shown) {
    const at = box(node);
    if (at.left < -0.5 || at.right > wide + 0.5) found.push(`beyond the window: ${name(node)}`);
    if (!node.closest("svg") && node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline")
      found.push(`beyond its box: ${name(node)}`);
  }

  // Pictures: every text inside its picture, on no other text.
  for (const picture of shown.filter((node) => node.tagName === "svg")) {
    const frame = box(picture);
    const texts = [...picture.querySelectorAll("text")];
    for (const text of texts) {
      const at = box(text);
      if (at.left < frame.left - 1 || at.right > frame.right + 1 || at.top < frame.top - 1 || at.bottom > frame.bottom + 1)
        found.push(`cut off by its picture: ${name(text)}`);
      if (parseFloat(getComputedStyle(text).fontSize) * frame.width / picture.viewBox.baseVal.width < 8.5)
        found.push(`too small to read: ${name(text)}`);
    }
    for (const dot of picture.querySelectorAll("circle")) {
      const a = box(dot);
      for (const text of texts) {
        const b = box(text);
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        if (width > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4) found.push(`below a dot: ${name(text)}`);
      }
    }
    texts.forEach((one, index) => texts.slice(index + 1).forEach((other) => {
      const a = box(one), b = box(other);
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 1 && height > 4) found.push(`one on the other: ${name(one)} and ${name(other)}`);
    }));
  }

  // Words are not torn apart; what has no space at all (a digest, a path) may be.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest("svg, style") || !node.parentElement.getClientRects().length) continue;
    for (const word of node.data.matchAll(/\S+/g)) {
      if (word[0].length > 32 || /[-/]/.test(word[0])) continue;
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((at) => Math.round(at.top))).size > 1) found.push(`torn: ${word[0]}`);
    }
  }

  // Contrast as WCAG 2 counts it: 4.5 for text.
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  for (const node of shown) {
    const isMark = node.matches("svg .mark");
    const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!hasText || node.tagName === "title") continue;
    const style = getComputedStyle(node);
    const front = node.closest("svg") ? style.fill : style.color;
    const back = isMark ? getComputedStyle(node.previousElementSibling).fill : behind(node);
    const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(2)}: ${name(node)}`);
  }
  return [...new Set(found)];
})()
