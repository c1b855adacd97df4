let leftToDo: (() => void) | null = null;

/** To be done when the call has answered: nobody waits for it. */
export function leaveToDo(work: () => void): void {
  leftToDo = work;
}

/** What the last call has left. */
export function doWhatIsLeft(): void {
  leftToDo?.();
  leftToDo = null;
}
