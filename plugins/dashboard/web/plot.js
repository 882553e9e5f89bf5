/** The plot of savings: bytes from the Internet against bytes of the LAN, drawn by uPlot. */
import { formatBytes } from '/tables.js';
import uPlot from '/uplot.js';

const HEIGHT = 220;

/** A plot inside `place`; the function returned shows new samples. */
export function makePlot(place) {
  let plot;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const draw = (data) => {
    plot?.destroy();
    plot = new uPlot(options(place), data, place);
  };
  dark.addEventListener('change', () => plot !== undefined && draw(plot.data));
  new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(
    place,
  );
  return (history) => {
    const columns = [0, 1, 2].map((column) => history.map((sample) => sample[column]));
    if (plot === undefined) draw(columns);
    else plot.setData(columns);
  };
}

function options(place) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line') } };
  const series = (label, name) => ({
    label,
    stroke: colour(name),
    width: 2,
    value: (_, bytes) => (bytes === null ? '' : formatBytes(bytes)),
  });
  return {
    width: place.clientWidth,
    height: HEIGHT,
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.05, 1)] } },
    axes: [axis, { ...axis, size: 80, values: (_, ticks) => ticks.map(formatBytes) }],
    series: [{}, series('from the Internet', '--internet'), series('from the LAN', '--lan')],
  };
}
