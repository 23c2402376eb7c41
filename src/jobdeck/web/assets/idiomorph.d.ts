declare module "idiomorph" {
  interface Options {
    morphStyle?: "innerHTML" | "outerHTML";
    ignoreActive?: boolean;
    ignoreActiveValue?: boolean;
    restoreFocus?: boolean;
    callbacks?: {
      beforeNodeMorphed?(old: Node, fresh: Node): boolean;
      beforeNodeRemoved?(old: Node): boolean;
      beforeAttributeUpdated?(name: string, element: Element, mutation: "update" | "remove"): boolean;
    };
  }
  export const Idiomorph: { morph(old: Node, fresh: string | Node | Node[], options?: Options): Node[] };
}
