export const searchProgress = {
  paused: (time: string): string => `Searched as far as ${time} and found nothing more.`,
  searching: (time: string): string => `Searching. Nothing more found as far as ${time}.`,
  further: "Search further",
};
