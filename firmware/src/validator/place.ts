/** Where a block or a box stands in the order of consensus: views begin at 1 in each epoch. */
export interface Place {
  readonly epoch: number;
  /** 0: the genesis block, or the block that closed the epoch before. */
  readonly view: number;
}

export function isAfter(place: Place, other: Place): boolean {
  return place.epoch > other.epoch || (place.epoch === other.epoch && place.view > other.view);
}
