// The growing scatter charts as an element of the page.
import { Scatter } from "iota-scatter/scatter.js";

export default {
  template: "<div></div>",
  props: { options: Object },
  async mounted() {
    await this.$nextTick(); // window.path_prefix is set by then
    this.scatter = new Scatter(this.$el, {
      ...this.options,
      url: (window.path_prefix ?? "") + this.options.url,
      onFrame: (row) => this.$emit("frame", row),
      onBox: (box) => this.$emit("box", box),
    });
    if (this.waiting) this.waiting.forEach(([name, value]) => this.scatter[name](value));
  },
  unmounted() {
    this.scatter?.destroy();
  },
  methods: {
    call(name, value) {
      if (this.scatter) this.scatter[name](value);
      else (this.waiting ??= []).push([name, value]);
    },
    pull() {
      this.scatter?.pull();
    },
    select(bits) {
      this.call("select", bits);
    },
    setFrame(row) {
      this.call("setFrame", row);
    },
  },
};
