# The kinds of message, once: each has its route, container, stage, pipe, table and view.
locals {
  messages = {
    measurements = {
      container = "json-blob-messages"
      types     = ["WeatherMeasurement"]
      view      = "measurements.sql"
      comment   = "Readings of the roof's sensors"
    }
    predictions = {
      container = "json-blob-predictions"
      types     = ["Prediction"]
      view      = "predictions.sql"
      comment   = "Nowcasts, up to four hours ahead"
    }
    health = {
      container = "json-blob-health"
      types     = ["DeviceHealth", "PictureTaken"]
      view      = "health.sql"
      comment   = "Devices' health, and notes of pictures taken"
    }
  }

  queue_name         = "snowpipe-event-sub"
  pictures_container = "pictures"
  models_container   = "models"
  consumer_group     = "skydeck"
}
