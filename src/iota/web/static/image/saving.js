// The view as a PNG file: the picture with its marks, below its title and above a scale of the counts.

import { make } from "./dom.js";
import { colour } from "./palette.js";

const HEAD = 30; // px above the picture
const FOOT = 34; // and below it
const RATIO = 2; // pixels of the file per px of the page

// Save what a view shows of an image
export async function savePicture(view, { title, layout }) {
  const [width, height] = view.size;
  const canvas = make("canvas", {});
  canvas.width = width * RATIO;
  canvas.height = (height + HEAD + FOOT) * RATIO;
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture(view, width, height), 0, HEAD * RATIO);
  context.setTransform(RATIO, 0, 0, RATIO, 0, 0);
  context.fillStyle = "#14202a";
  context.font = "600 13px system-ui, sans-serif";
  context.fillText(title, 10, 20);
  legend(context, view.shades, layout, width, HEAD + height + 8);
  const blob = await new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
  const link = make("a", {
    href: URL.createObjectURL(blob),
    download: `${title.replace(/[^\w.-]+/g, "_")}.png`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function picture(view, width, height) {
  const canvas = make("canvas", {});
  canvas.width = width * RATIO;
  canvas.height = height * RATIO;
  const context = canvas.getContext("2d", { alpha: false });
  view.paint(context, width, height, RATIO);
  view.drawOver(context, width, height);
  return canvas;
}

function legend(context, { palette, low, high }, layout, width, y) {
  const bar = 180;
  const x = width - bar - 60;
  for (let k = 0; k < bar; k++) {
    context.fillStyle = `rgb(${colour(palette, k / bar).join(",")})`;
    context.fillRect(x + k, y, 1.5, 14);
  }
  context.strokeStyle = "#5c6b78";
  context.lineWidth = 0.5;
  context.strokeRect(x, y, bar, 14);
  context.fillStyle = "#14202a";
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "right";
  context.fillText(`counts ${Number(low.toPrecision(3))}`, x - 6, y + 11);
  context.textAlign = "left";
  context.fillText(String(Number(high.toPrecision(3))), x + bar + 6, y + 11);
  context.fillText(`${layout.distance_mm.toFixed(1)} mm, ${layout.wavelength_A.toFixed(4)} Å`, 10, y + 11);
}
