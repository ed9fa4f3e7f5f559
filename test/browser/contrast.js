// Runs in a page: its texts whose contrast is below 4.5:1 (WCAG 2.2, 1.4.3), with text on every colour of the scales.
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  /** Relative luminance of colours that are painted over each other. */
  const luminance = (...colours) => {
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    const [red, green, blue] = Array.from(canvas.getImageData(0, 0, 1, 1).data, (value) => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const line = document.createElement('p');
  document.querySelector('#paper').append(line);
  for (const kind of ['bits-', 'activation-']) {
    for (let level = 0; level <= 10; level++) {
      const span = document.createElement('span');
      span.className = kind + level;
      span.textContent = kind + level;
      line.append(span);
    }
  }
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const texts = [...element.childNodes].filter(
      (node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== '',
    );
    if (texts.length === 0 || element.matches(':disabled') || !element.checkVisibility()) continue;
    const behind = [];
    for (let at = element; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
    const [low, high] = [
      luminance('#fff', ...behind),
      luminance('#fff', ...behind, getComputedStyle(element).color),
    ].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) poor.push(`${element.outerHTML.slice(0, 60)}: ${contrast.toFixed(2)}`);
  }
  return poor;
})();
