// A chart given as SVG text; elements with data-pick can be clicked.
export default {
  template: '<div class="iota-chart" @click="emitPick($event, \'pick\')" @dblclick="emitPick($event, \'open\')"></div>',
  props: { svg: String },
  mounted() {
    this.$el.innerHTML = this.svg;
  },
  watch: {
    svg(text) {
      this.$el.innerHTML = text;
    },
  },
  methods: {
    emitPick(event, name) {
      // the chart may have been replaced between press and release: take what is there now
      const target = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-pick]");
      if (target && this.$el.contains(target)) this.$emit(name, target.dataset.pick);
    },
  },
};
