# A wallet on Rails and ActiveRecord. It takes DATABASE_URL and PORT; it knows no proxy. Started by: ruby wallet.rb
ENV["RAILS_ENV"] = "production"
ENV["SECRET_KEY_BASE"] ||= "unused"

require "active_record/railtie"
require "action_controller/railtie"
require "rack/handler/puma"

class WalletApplication < Rails::Application
  config.root = __dir__
  config.eager_load = false
  config.logger = Logger.new($stderr)
  config.log_level = :warn
end

Rails.application.initialize!

class Wallet < ActiveRecord::Base
end

class VersionedWallet < ActiveRecord::Base
  self.table_name = "wallets"
  self.locking_column = :version
end

class WithdrawalsController < ActionController::API
  def create
    paid = send(params[:how], params[:id], params[:amount].to_i)
    render plain: paid ? "paid\n" : "refused\n", status: paid ? 200 : 409
  end

  private

  def take(wallet, amount)
    wallet.balance >= amount && wallet.update!(balance: wallet.balance - amount)
  end

  def plain(id, amount)
    take(Wallet.find(id), amount)
  end

  def lock(id, amount)
    wallet = Wallet.find(id)
    wallet.with_lock { take(wallet, amount) }
  end

  def version(id, amount)
    take(VersionedWallet.find(id), amount)
  rescue ActiveRecord::StaleObjectError
    false
  end
end

Rails.application.routes.draw do
  post "withdraw/:how", to: "withdrawals#create", constraints: { how: /plain|lock|version/ }
end

Rack::Handler::Puma.run(Rails.application, Host: "127.0.0.1", Port: ENV.fetch("PORT"), Threads: "4:4", Silent: true)
