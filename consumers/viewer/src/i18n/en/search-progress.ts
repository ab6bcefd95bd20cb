export const searchProgress = {
  paused: (time: string): string => `Searched to ${time} and found nothing more.`,
  searching: (time: string): string => `Searching… No more matches so far (reached ${time}).`,
  further: "Search further",
};
