// An answer as a COCO data set of one image, as pycocotools reads it.

export function toCoco({ image, model, instances, foreground }, name) {
  const found = foreground ? [foreground] : instances;
  return {
    info: { description: `hiseg, ${model.name} version ${model.version}` },
    images: [{ id: 1, file_name: name, width: image.width, height: image.height }],
    categories: [{ id: 1, name: "person" }],
    annotations: found.map(({ box: [x1, y1, x2, y2], score, area, mask: { size, counts } }, index) => ({
      id: index + 1,
      image_id: 1,
      category_id: 1,
      bbox: [x1, y1, x2 - x1, y2 - y1],
      area,
      score,
      iscrowd: 0,
      segmentation: { size, counts },
    })),
  };
}
