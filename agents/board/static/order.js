// Brings children into an order with as few moves as possible: the longest run already in order stays where it is.

/** Return the positions in `numbers` of a longest increasing run, skipping negative numbers. */
export function longestIncreasing(numbers) {
  const ends = [];
  const previous = new Array(numbers.length).fill(-1);
  for (let i = 0; i < numbers.length; i += 1) {
    if (numbers[i] < 0) {
      continue;
    }
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[ends[middle]] < numbers[i]) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    previous[i] = low > 0 ? ends[low - 1] : -1;
    ends[low] = i;
  }
  const run = new Set();
  for (let i = ends.at(-1) ?? -1; i >= 0; i = previous[i]) {
    run.add(i);
  }
  return run;
}

/** Make `elements` the order of the children of `parent`; elements not yet in it are inserted. */
export function arrange(parent, elements) {
  const places = new Map(Array.from(parent.children, (child, place) => [child, place]));
  const staying = longestIncreasing(elements.map((element) => places.get(element) ?? -1));
  let next = null;
  for (let i = elements.length - 1; i >= 0; i -= 1) {
    if (!staying.has(i)) {
      parent.insertBefore(elements[i], next);
    }
    next = elements[i];
  }
}
